"""How far a run is, said while it goes on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

from pipeline.state import RunState
from transforms.accounts import Accounts, read_accounts
from transforms.layout import Layout
from transforms.plan import recorded_plan
from transforms.storage import is_remote, list_names

BAR = 24
LINE_EVERY = 10.0  # seconds between plain lines


class StatusLine:
    """One line on standard error: a bar on a terminal, else a plain line every now and then."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self._said = time.monotonic()

    def show(self, part: float, text: str) -> None:
        """Say how far it is; `part` from 0 to 1."""
        now = time.monotonic()
        if self.terminal:
            full = int(BAR * part)
            self._write(f"\r\x1b[K{'█' * full}{'░' * (BAR - full)} {text}")
        elif now - self._said >= LINE_EVERY:
            self._said = now
            self._write(text + "\n")

    def end(self) -> None:
        """Leave the line."""
        if self.terminal:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


class Progress:
    """Watches plan/ and blocks/ of a run, whoever writes them."""

    def __init__(self, layout: Layout, state: RunState) -> None:
        self._layout = layout
        self._shards = [shard.path for shard in state.shards]
        self._unplanned = {s.path for s in state.shards if s.plan is None}
        self._seen = {name.removesuffix(".json") for name in list_names(layout.blocks)}
        self._valid = {stem for shard in state.shards for stem in shard.done}
        self._lines = state.total("lines")
        self._planned = [(len(s.keys), s.plan.lines) for s in state.shards if s.plan]
        self._at_start = self._lines
        self._tokens = 0
        self._first: float | None = None
        self._status = StatusLine()
        self.blocks = len(self._valid)
        self.interval = 15.0 if is_remote(layout.root) else 0.5

    @property
    def planned_blocks(self) -> int:
        """Blocks of the shards planned so far."""
        return sum(blocks for blocks, _ in self._planned)

    def look(self) -> None:
        """See which plans and blocks are new."""
        for path in sorted(self._unplanned):
            plan = recorded_plan(self._layout, path)
            if plan is not None:
                self._unplanned.discard(path)
                self._planned.append((len(plan.blocks), plan.lines))
        names = {name.removesuffix(".json") for name in list_names(self._layout.blocks)}
        for stem in names - self._seen:
            accounts = read_accounts(self._layout, stem)
            if accounts is not None:
                self._count(accounts)
        self._seen |= names

    def update(self) -> None:
        """Look again, and say how far the run is."""
        self.look()
        lines = sum(lines for _, lines in self._planned)
        part = self._lines / lines if lines and not self._unplanned else 0.0
        self._status.show(part, self.line())

    def end(self) -> None:
        """Leave the line."""
        self._status.end()

    def stopped(self) -> str:
        """What to say when the command is stopped here."""
        self.look()
        if self.planned_blocks:
            done = f"{self.blocks} of {self.planned_blocks} blocks"
            return f"stopped after {done}; the same command continues"
        return f"stopped while planning ({self.line()}); the same command continues"

    def line(self) -> str:
        """`120 of 660 blocks, 14,210 tokens/s, 6 min left`."""
        planned = len(self._shards) - len(self._unplanned)
        if self._unplanned:
            return f"planned {planned} of {len(self._shards)} files"
        text = f"{self.blocks} of {self.planned_blocks} blocks"
        seconds = time.monotonic() - (self._first or time.monotonic())
        lines = sum(lines for _, lines in self._planned)
        made = self._lines - self._at_start
        if seconds > 0 and made > 0 and self._first_lines < made:
            rate = (self._tokens - self._first_tokens) / seconds
            left = (lines - self._lines) * seconds / (made - self._first_lines)
            text += f", {rate:,.0f} tokens/s, {duration(left)} left"
        return text

    def _count(self, accounts: Accounts) -> None:
        self.blocks += 1
        self._lines += accounts.lines
        self._tokens += accounts.tokens
        if self._first is None:  # the first block waits for the model: no part of the rate
            self._first = time.monotonic()
            self._first_lines = self._lines - self._at_start
            self._first_tokens = self._tokens


def duration(seconds: float) -> str:
    """`42 s`, `6 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def shown(names: Sequence[str], most: int = 5) -> str:
    """A list of names, cut where it is long."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
