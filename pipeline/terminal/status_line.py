"""How far long work is, on standard error or in a notebook."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from elmo_beam.elmo.progress_bar import progress_bar
from elmo_beam.elmo.wording import duration
from elmo_beam.pipeline.terminal.console import VISIBLE, on_terminal, printable, show

LINE_EVERY = 10.0  # seconds between plain lines
# As tqdm lays a bar out, and the text after it, cut to the width of the terminal.
LAYOUT = "{percentage:3.0f}%|{bar}| {elapsed}, {desc}"
SMOOTHING = 0.1  # weight of the newest step of a pace
LEAST_STEPS, LEAST_SECONDS = 3, 3.0  # before a pace means something


class Status(Protocol):
    """Where progress is shown."""

    def show(self, share: float, text: str) -> None:
        """Show how far the work is; share: from 0 to 1."""

    def end(self) -> None:
        """Leave the line."""


class Pace:
    """How fast an amount grows, smoothed.

    What went before its first growth, such as loading a model, does not count. Where the amount
    falls, something else has begun.
    """

    def __init__(self) -> None:
        self._restart(0.0)

    def _restart(self, amount: float) -> None:
        from tqdm.std import EMA

        self._amount, self._steps = amount, -1
        self._growth, self._time = EMA(SMOOTHING), EMA(SMOOTHING)
        self._began = self._last = 0.0

    def note(self, amount: float, now: float) -> None:
        """The amount at a time, in seconds."""
        if amount < self._amount:
            self._restart(amount)
        elif amount > self._amount:
            if self._steps < 0:
                self._began = now
            else:
                self._growth(amount - self._amount)
                self._time(now - self._last)
            self._amount, self._last = amount, now
            self._steps += 1

    @property
    def rate(self) -> float | None:
        """Growth per second; None until it means something."""
        if self._steps < LEAST_STEPS or self._last - self._began < LEAST_SECONDS:
            return None
        return float(self._growth() / self._time())


class StatusLine:
    """A bar on a terminal or in a notebook, elsewhere a plain line every ten seconds."""

    def __init__(self, quiet: bool = False) -> None:
        """quiet: show nothing."""
        self._quiet, self._draws = quiet, on_terminal() or in_notebook()
        self._bar: Any = None
        self._pace = Pace()
        self._last_time, self._last_text = -LINE_EVERY, ""

    def __enter__(self) -> StatusLine:
        if self._draws:
            self.show(0.0, "starting")  # what is imported next may take some seconds
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def show(self, share: float, text: str) -> None:
        """Show how far the work is, and how long it will take; share: from 0 to 1."""
        if self._quiet:
            return
        now = time.monotonic()
        self._pace.note(share, now)
        if self._pace.rate and share < 1:
            text = f"{duration((1 - share) / self._pace.rate)} left, {text}"
        if self._draws:
            self._bar = self._bar or progress_bar(
                total=1,
                bar_format=LAYOUT,
                leave=False,
                dynamic_ncols=True,
                file=None if in_notebook() else VISIBLE,
            )
            self._bar.n = share
            self._bar.set_description_str(printable(text))
        elif text != self._last_text and now - self._last_time >= LINE_EVERY:
            self._last_time, self._last_text = now, text
            show(text)

    def end(self) -> None:
        """Leave the line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return bool(shell) and "IPKernelApp" in shell.config
