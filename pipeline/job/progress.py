"""How far a run is, read from its files while it goes on."""

from __future__ import annotations

import time

from elmo_beam.elmo.wording import counted, duration
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.transforms.accounts import Accounts, read_accounts
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.storage import list_names
from elmo_beam.transforms.plan import recorded_plan


class Progress:
    """Watches plan/ and blocks/ of a run, whoever writes them."""

    def __init__(self, layout: Layout, state: RunState, status: Status) -> None:
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
        self._status = status
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
        """Look again, and show how far the run is."""
        self.look()
        lines = sum(lines for _, lines in self._planned)
        share = self._lines / lines if lines and not self._unplanned else 0.0
        self._status.show(share, self.line())

    def stopped(self) -> str:
        """What to print when the command is stopped here."""
        self.look()
        if self.planned_blocks:
            return f"stopped after {self._blocks_done()}; the same command continues"
        return f"stopped while planning ({self.line()}); the same command continues"

    def line(self) -> str:
        """`120 of 660 blocks, 14,210 tokens/s, 6 min left`."""
        planned = len(self._shards) - len(self._unplanned)
        if self._unplanned:
            return f"planned {planned} of {counted(len(self._shards), 'file')}"
        text = self._blocks_done()
        seconds = time.monotonic() - (self._first or time.monotonic())
        lines = sum(lines for _, lines in self._planned)
        made = self._lines - self._at_start
        if seconds > 0 and made > 0 and self._first_lines < made:
            rate = (self._tokens - self._first_tokens) / seconds
            left = (lines - self._lines) * seconds / (made - self._first_lines)
            text += f", {rate:,.0f} tokens/s, {duration(left)} left"
        return text

    def _blocks_done(self) -> str:
        return f"{self.blocks:,} of {counted(self.planned_blocks, 'block')}"

    def _count(self, accounts: Accounts) -> None:
        self.blocks += 1
        self._lines += accounts.lines
        self._tokens += accounts.tokens
        if self._first is None:  # the first block waits for the model, so it does not count
            self._first = time.monotonic()
            self._first_lines = self._lines - self._at_start
            self._first_tokens = self._tokens


class Counting:
    """Watches a run's plans while its tokens are counted."""

    def __init__(self, layout: Layout, files: int, status: Status) -> None:
        self._layout, self._files, self._status = layout, files, status
        self.interval = 15.0 if is_remote(layout.root) else 0.5

    def update(self) -> None:
        """Look again, and show how far it is."""
        self._status.show(0.0, self.line())

    def stopped(self) -> str:
        """What to print when the command is stopped here."""
        return "stopped while counting words; the same command counts them again"

    def line(self) -> str:
        """`planned 3 of 7 files`, then `counting the words of 7 files`."""
        planned = len(list_names(self._layout.plan))
        if planned < self._files:
            return f"planned {planned} of {counted(self._files, 'file')}"
        return f"counting the words of {counted(self._files, 'file')}"
