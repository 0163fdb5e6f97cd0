"""Ctrl-C and SIGTERM: one line, and an end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopper:
    """Answers the signals while it is entered; `describe` gives the line to say.

    Every file is whole or absent at any moment, so nothing need be wound down; Beam's own way of
    stopping takes long and prints tracebacks.
    """

    def __init__(self) -> None:
        self.describe: Callable[[], str] = lambda: "stopped"

    def __enter__(self) -> Stopper:
        self._before = {n: signal.signal(n, self._stop) for n in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        os.write(2, f"{start}elmo-beam: {self.describe()}\n".encode())
        for child in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os._exit(128 + number)


def leave_signals_to_main_thread() -> None:
    """Block the signals in this thread, and so in the processes that it starts.

    A terminal sends Ctrl-C to them too, and each would print a traceback of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def descendants(pid: int) -> list[int]:
    """The processes below one, where the system has /proc; workers of multi_processing."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [pid]
    for parent in found:
        found.extend(child for child, its in parents.items() if its == parent)
    return found[1:]
