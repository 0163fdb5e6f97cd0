"""What a run has done so far, from its plan/ and blocks/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from elmo_beam.transforms.accounts import Accounts, BlockKey, read_accounts
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout, shard_stem
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import delete, join, list_names, of_each
from elmo_beam.transforms.plan import Plan, holds, recorded_plan


@dataclass
class ShardState:
    """One shard: its plan, None if there is none that counts, and the accounts of its blocks."""

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
        if self.plan is None or not self.plan.good or self.plan.unread is not None:
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
        return any(s.plan is None or (not s.plan.damaged and not s.complete) for s in self.shards)

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


def read_state(layout: Layout, settings: Settings, plans: Mapping[str, Plan | None]) -> RunState:
    """The state of a run over these shards, by their plans; those that count."""
    parts = {name.removesuffix(f".{settings.format}") for name in list_names(layout.parts)}
    committed = parts & {name.removesuffix(".json") for name in list_names(layout.blocks)}
    rejects = {name.removesuffix(".jsonl") for name in list_names(layout.rejects)}

    def shard_state(item: tuple[str, Plan | None]) -> ShardState:
        state = ShardState(*item)
        for key in state.keys:
            accounts = read_accounts(layout, key.stem) if key.stem in committed else None
            if accounts is None or not accounts.match(key, settings.fingerprint):
                continue
            if not accounts.rejects_sha256 or key.stem in rejects:
                state.done[key.stem] = accounts
        return state

    return RunState(of_each(layout.root, shard_state, plans.items()))


def state_now(
    layout: Layout, settings: Settings, paths: Sequence[str], recorded: Mapping[str, Plan]
) -> RunState:
    """The state in which a command finds a run: a plan counts if its file is as it was."""

    def plan_now(path: str) -> Plan | None:
        plan = recorded.get(path)
        return plan if holds(plan, path, settings) else None

    plans = of_each(next(filter(is_remote, paths), ""), plan_now, paths)
    return read_state(layout, settings, dict(zip(paths, plans, strict=True)))


def plans_of(layout: Layout, paths: Iterable[str]) -> dict[str, Plan | None]:
    """The plans on record of these shards, of which a pipeline has just made some."""
    paths = list(paths)
    plans = of_each(layout.root, lambda path: recorded_plan(layout, path), paths)
    return dict(zip(paths, plans, strict=True))


def names_of(layout: Layout) -> set[str]:
    """The paths of all files that the run has for its shards and their blocks."""
    folders = (layout.plan, layout.blocks, layout.parts, layout.rejects)
    return {join(folder, name) for folder in folders for name in list_names(folder)}


def delete_stale(layout: Layout, state: RunState, seen: Set[str]) -> None:
    """Remove what belongs to no block that is done: a file's earlier content.

    Only what is of this command's own inputs, and was there when it began (seen) or is of a file
    that turned out damaged: whatever else there is may be another command's. A plan of a file that
    is no longer named, and of which nothing is embedded, goes too.
    """
    kept = {stem for shard in state.shards for stem in shard.done}
    shards = {shard_stem(shard.path): shard for shard in state.shards}
    needed = set(shards)
    for folder in (layout.blocks, layout.parts, layout.rejects):
        for name in list_names(folder):
            match = BLOCK_NAME.fullmatch(name)
            if match is None or match["stem"] in kept:
                continue
            shard = shards.get(match["shard"])
            if shard is None:
                if folder == layout.parts:
                    needed.add(match["shard"])
            elif join(folder, name) in seen or (shard.plan and shard.plan.damaged):
                delete(join(folder, name))
    for name in list_names(layout.plan):
        match, path = PLAN_NAME.fullmatch(name), join(layout.plan, name)
        if match and path in seen and match["shard"] not in needed:
            delete(path)
