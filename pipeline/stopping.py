"""Ctrl-C and SIGTERM: one line, and an end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CLEAN_WITHIN = 20  # seconds; an engine takes its time to cancel a job
Result = TypeVar("Result")


class Stopper:
    """Answers the signals while it is entered; `describe` gives the line to say.

    Every file is whole or absent at any moment, so nothing need be wound down; Beam's own way of
    stopping takes long and prints tracebacks. `clean_up` removes what a command has in work, or
    cancels the job that an engine has.
    """

    def __init__(self) -> None:
        self.describe: Callable[[], str] = lambda: "stopped"
        self.clean_up: Callable[[], None] = lambda: None

    def __enter__(self) -> Stopper:
        self._before = {n: signal.getsignal(n) for n in SIGNALS}
        self.arm()
        return self

    def arm(self) -> None:
        """Answer the signals, also where a library has taken them over."""
        for number in SIGNALS:
            signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        os.write(2, f"{start}elmo-beam: {self.describe()}\n".encode())
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries may cry as they are cut off
        cleaning = threading.Thread(target=self.clean_up, daemon=True)
        cleaning.start()
        cleaning.join(CLEAN_WITHIN)
        leave(128 + number)


def leave(code: int) -> NoReturn:
    """End this process and those below it, at once.

    Beam and TensorFlow leave threads behind that can hold up, or break, an orderly end; a job
    server that Beam has started would stay.
    """
    for child in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os._exit(code)


def beside(work: Callable[[], Result], tick: Callable[[], None], interval: float) -> Result:
    """What `work` returns or raises, run in a thread; `tick` is called every `interval` seconds.

    The main thread stays free to answer signals: one block of a large model can keep a thread in
    TensorFlow for a minute.
    """
    outcome: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        # Also in the processes that it starts: a terminal sends Ctrl-C to them too, and each would
        # print a traceback of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            outcome.append(work())
        except BaseException as error:  # it belongs to the main thread
            errors.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while worker.is_alive():
        tick()
        worker.join(interval)
    if errors:
        raise errors[0]
    return outcome[0]


def descendants(pid: int) -> list[int]:
    """The processes below one, where the system has /proc; workers, a job server."""
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
