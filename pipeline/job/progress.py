"""How far a run is, read from its files while it goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.pipeline.terminal.status_line import Pace, Status
from elmo_beam.transforms.accounts import Accounts, read_accounts
from elmo_beam.transforms.activity import ACTIVITY
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.storage import list_names, read_bytes
from elmo_beam.transforms.packs import Planned, parse_planned

ALMOST = 0.99  # of a run whose last block is not finished


class Progress:
    """Watches plan/ and blocks/ of a run, whoever writes them."""

    def __init__(
        self, layout: Layout, state: RunState, unplanned: Sequence[str], status: Status
    ) -> None:
        """unplanned: the stems of plans that the job will make."""
        self._layout = layout
        self._files = len(state.shards)
        self._unplanned = set(unplanned)
        self._seen = {name.removesuffix(".json") for name in list_names(layout.blocks)}
        self._lines = state.total("lines")
        self._planned = [_sizes(planned) for planned in state.plans]
        self._tokens = 0
        self._share, self._pace = 0.0, Pace()
        self._status = status
        self.blocks = len(state.done)
        self.interval = 15.0 if is_remote(layout.root) else 0.5

    @property
    def planned_blocks(self) -> int:
        """Blocks of the shards planned so far."""
        return sum(blocks for _, blocks, _ in self._planned)

    def look(self) -> None:
        """See which plans and blocks are new."""
        for stem in sorted(self._unplanned):
            planned = parse_planned(read_bytes(self._layout.plan_at(stem)))
            if planned is not None and planned.known:
                self._unplanned.discard(stem)
                self._planned.append(_sizes(planned))
        names = {name.removesuffix(".json") for name in list_names(self._layout.blocks)}
        for stem in names - self._seen:
            accounts = read_accounts(self._layout, stem)
            if accounts is not None:
                self._count(accounts)
        self._seen |= names

    def update(self) -> None:
        """Look again, and show how far the run is."""
        self.look()
        begun = [of for stem, of in ACTIVITY.blocks.copy().items() if stem not in self._seen]
        self._pace.note(self._tokens + sum(tokens for _, tokens in begun), time.monotonic())
        lines = sum(lines for _, _, lines in self._planned)
        done = self._lines + sum(lines for lines, _ in begun)
        self._share = max(self._share, done / lines) if lines and not self._unplanned else 0.0
        if self.blocks < self.planned_blocks:  # something is still to be written
            self._share = min(self._share, ALMOST)
        self._status.show(self._share, self.line())

    def stopped(self) -> str:
        """What to print when the command is stopped here."""
        self.look()
        if self.planned_blocks:
            return f"stopped after {self._blocks_done()}; the same command continues"
        return f"stopped while planning ({self.line()}); the same command continues"

    def line(self) -> str:
        """`120 of 660 blocks, 14,210 tokens/s`."""
        planned = sum(files for files, _, _ in self._planned)
        if self._unplanned:
            return f"planned {planned} of {counted(self._files, 'file')}"
        text = self._blocks_done()
        if self._pace.rate:
            text += f", {self._pace.rate:,.0f} tokens/s"
        return text + (", loading the model" if ACTIVITY.loading else "")

    def _blocks_done(self) -> str:
        return f"{self.blocks:,} of {counted(self.planned_blocks, 'block')}"

    def _count(self, accounts: Accounts) -> None:
        self.blocks += 1
        self._lines += accounts.total("lines")
        self._tokens += accounts.total("tokens")


def _sizes(planned: Planned) -> tuple[int, int, int]:
    """The files, blocks and lines of a plan."""
    return len(planned.plans), len(planned.keys), sum(plan.lines for plan in planned.plans)


class Counting:
    """Says that a run's tokens are counted, which happens once, before any is embedded."""

    def __init__(self, files: int, status: Status) -> None:
        self._files, self._status = files, status
        self.interval = 0.5

    def update(self) -> None:
        """Show it."""
        self._status.show(0.0, f"counting the words of {counted(self._files, 'file')}")

    def stopped(self) -> str:
        """What to print when the command is stopped here."""
        return "stopped while counting words; the same command counts them again"
