"""Ctrl-C and SIGTERM: one line, and an end at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


class Stopper:
    """Answers the signals while it is entered; `describe` gives the line to say.

    Every file is whole or absent at any moment, so nothing need be wound down; Beam's own way of
    stopping takes long and prints tracebacks.
    """

    def __init__(self) -> None:
        self.describe: Callable[[], str] = lambda: "stopped before the first block"

    def __enter__(self) -> Stopper:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {n: signal.signal(n, self._stop) for n in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        os.write(2, f"{start}elmo-beam: {self.describe()}\n".encode())
        os._exit(128 + number)
