"""Ctrl-C, SIGTERM and a terminal that is closed: one line, and an end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.process import visible_stderr
from elmo_beam.pipeline.terminal.console import complain_at_once

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEAN_WITHIN = 20  # seconds; a cluster takes its time to cancel a job


class Stopper:
    """Answers the signals while it is entered; `describe` gives the line to print.

    Every file is whole or absent at any moment, so nothing has to be wound down; Beam's own way of
    stopping takes long and prints tracebacks. `clean_up` removes what a command has begun, or
    cancels the job on a cluster.
    """

    def __init__(self) -> None:
        self.describe: Callable[[], str] = lambda: "stopped"
        self.clean_up: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stopper:
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        if self._before[signal.SIGHUP] == signal.SIG_IGN:  # by nohup: it is to run on
            del self._before[signal.SIGHUP]
        self.arm()
        return self

    def arm(self) -> None:
        """Answer the signals, also where a library has taken them over."""
        for number in self._before:
            signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        for answered in self._before:  # a shell that is closed sends more than one
            signal.signal(answered, signal.SIG_IGN)
        shown = os.dup(visible_stderr())
        complain_at_once(shown, self.describe())
        # Libraries may complain as they are cut off.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

        def clean() -> None:
            try:
                self.clean_up()
            except UserError as error:
                complain_at_once(shown, str(error))

        cleaning = threading.Thread(target=clean, daemon=True)
        cleaning.start()
        cleaning.join(CLEAN_WITHIN)
        leave(128 + number)


def leave(code: int) -> NoReturn:
    """End this process and those below it, at once.

    Beam and TensorFlow leave threads behind that can delay or break an orderly exit, and a job
    server that Beam has started would stay.
    """
    if "subprocess" in sys.modules:  # else nothing can have been started; --help need not wait
        import psutil

        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    os._exit(code)
