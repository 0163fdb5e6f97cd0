"""The `elmo-beam` command; `python -m elmo_beam` is the same."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line, which answers signals itself once it is imported."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # by nohup
            signal.signal(number, _stop)
    from elmo_beam.pipeline.cli import main as run

    run()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"elmo-beam: stopped before anything was done\n")
    os._exit(128 + number)


if __name__ == "__main__":
    # Python searches the current folder first, where any file may have the name of a module.
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    main()
