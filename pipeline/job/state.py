"""What a run has done so far, from its plan/ and blocks/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from elmo_beam.transforms.accounts import Accounts, BlockKey, read_accounts
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import delete, join, list_names
from elmo_beam.transforms.plan import Plan, current_plan, recorded_plan

READERS = 16  # small files read at once: a remote one takes a while


@dataclass
class ShardState:
    """One shard: its plan, None if there is none that holds, and the accounts of its blocks."""

    path: str
    plan: Plan | None
    done: dict[str, Accounts] = field(default_factory=dict)

    @property
    def keys(self) -> list[BlockKey]:
        """The blocks that the plan asks for."""
        if self.plan is None:
            return []
        return [BlockKey(self.path, self.plan.content, block) for block in self.plan.blocks]

    @property
    def complete(self) -> bool:
        """Whether every line of the shard is accounted for."""
        if self.plan is None or self.plan.damaged is not None:
            return False
        return len(self.done) == len(self.plan.blocks)


@dataclass
class RunState:
    """All shards of a run, in order."""

    shards: list[ShardState]

    @property
    def complete(self) -> bool:
        """Whether every line of every input is accounted for."""
        return all(shard.complete for shard in self.shards)

    @property
    def pending(self) -> bool:
        """Whether a pipeline has anything to do: a shard without a plan, or blocks not done."""
        return any(
            s.plan is None or (s.plan.damaged is None and not s.complete) for s in self.shards
        )

    @property
    def accounts(self) -> list[Accounts]:
        """The accounts of every block that is done, in order."""
        return [accounts for shard in self.shards for accounts in shard.done.values()]

    def total(self, name: str) -> int:
        """The sum of one figure over all blocks done."""
        return sum(getattr(accounts, name) for accounts in self.accounts)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected lines by reason."""
        return dict(sum((Counter(a.rejected) for a in self.accounts), Counter()))


def read_state(
    layout: Layout, settings: Settings, paths: Iterable[str], recorded: bool = False
) -> RunState:
    """The state of a run over these shards.

    A plan counts if its file is as it was and undamaged. recorded: any plan on record counts, which
    is right when a pipeline has just made it.
    """
    parts = {name.removesuffix(f".{settings.format}") for name in list_names(layout.parts)}
    present = parts & {name.removesuffix(".json") for name in list_names(layout.blocks)}

    def shard_state(path: str) -> ShardState:
        plan = recorded_plan(layout, path) if recorded else current_plan(layout, path, settings)
        state = ShardState(path, plan)
        for key in state.keys:
            accounts = read_accounts(layout, key.stem) if key.stem in present else None
            if accounts is not None and accounts.match(key, settings.fingerprint):
                state.done[key.stem] = accounts
        return state

    with ThreadPoolExecutor(READERS) as pool:
        return RunState(list(pool.map(shard_state, paths)))


def delete_stale(layout: Layout, state: RunState) -> None:
    """Remove what belongs to no shard, or to no block that is done: a file's earlier content."""
    kept = {stem for shard in state.shards for stem in shard.done}
    for folder in (layout.blocks, layout.parts, layout.rejects):
        for name in list_names(folder):
            match = BLOCK_NAME.fullmatch(name)
            if match and match["stem"] not in kept:
                delete(join(folder, name))
    plans = {layout.plan_of(shard.path) for shard in state.shards}
    for name in list_names(layout.plan):
        path = join(layout.plan, name)
        if PLAN_NAME.fullmatch(name) and path not in plans:
            delete(path)
