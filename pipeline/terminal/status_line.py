"""How far long work is, on standard error; and how numbers and lists are put into words."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Protocol

BAR = 24
LINE_EVERY = 10.0  # seconds between plain lines


class Status(Protocol):
    """Where progress is shown."""

    def show(self, share: float, text: str) -> None:
        """Show how far the work is; share: from 0 to 1."""

    def end(self) -> None:
        """Leave the line."""


class StatusLine:
    """One line on standard error: a bar on a terminal, else a plain line every ten seconds."""

    def __init__(self) -> None:
        self._terminal = False
        with contextlib.suppress(AttributeError, ValueError):  # it is None, or closed
            self._terminal = sys.stderr.isatty()
        self._last_line = time.monotonic()

    def show(self, share: float, text: str) -> None:
        """Show how far the work is; share: from 0 to 1."""
        now = time.monotonic()
        if self._terminal:
            full = int(BAR * share)
            self._write(f"\r\x1b[K{'█' * full}{'░' * (BAR - full)} {text}")
        elif now - self._last_line >= LINE_EVERY:
            self._last_line = now
            self._write(text + "\n")

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def duration(seconds: float) -> str:
    """`42 s`, `6 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names separated by commas, cut if there are many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
