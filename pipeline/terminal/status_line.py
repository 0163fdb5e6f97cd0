"""How far long work is, on standard error."""

from __future__ import annotations

import time
from typing import Protocol

from elmo_beam.pipeline.terminal.console import CLEAR_LINE, on_terminal, show

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
        self._terminal = on_terminal()
        self._last_time, self._last_text = time.monotonic(), ""

    def show(self, share: float, text: str) -> None:
        """Show how far the work is; share: from 0 to 1."""
        now = time.monotonic()
        if self._terminal:
            full = int(BAR * share)
            show(f"{'█' * full}{'░' * (BAR - full)} {text}", start=CLEAR_LINE, end="")
        elif text != self._last_text and now - self._last_time >= LINE_EVERY:
            self._last_time, self._last_text = now, text
            show(text)

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            show("", start=CLEAR_LINE, end="")
