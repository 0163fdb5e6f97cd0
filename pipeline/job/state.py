"""What a run has done so far, from its plan/ and blocks/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from elmo_beam.transforms.accounts import Accounts, Counts, read_accounts
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout, shard_stem
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import delete, join, list_names, of_each
from elmo_beam.transforms.packs import Planned, recorded_plans
from elmo_beam.transforms.plan import Plan, holds


@dataclass
class ShardState:
    """One shard: its plan, None if there is none that counts, and the accounts of its pieces."""

    path: str
    plan: Plan | None
    done: list[Counts] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every line of the shard is accounted for."""
        if self.plan is None or not self.plan.good or self.plan.unread is not None:
            return False
        return len(self.done) == len(self.plan.blocks)


@dataclass
class RunState:
    """All shards of a run, in order, what is planned of them, and the accounts of blocks done.

    plans: those that are on record, in the order of their first shards; done: accounts by the
    block's stem, in the order of the plans.
    """

    shards: list[ShardState]
    plans: list[Planned] = field(default_factory=list)
    done: dict[str, Accounts] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every line of every input is accounted for."""
        return all(shard.complete for shard in self.shards)

    @property
    def pending(self) -> bool:
        """Whether a pipeline has anything to do: a shard without a plan, or blocks not done."""
        return any(s.plan is None or (not s.plan.damaged and not s.complete) for s in self.shards)

    def total(self, name: str) -> int:
        """The sum of one count over all shards."""
        return sum(getattr(counts, name) for shard in self.shards for counts in shard.done)

    def work(self, name: str) -> int:
        """The sum of one figure over all blocks done."""
        return sum(getattr(accounts, name) for accounts in self.done.values())

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected lines by reason."""
        reasons: Counter[str] = Counter()
        for shard in self.shards:
            for counts in shard.done:
                reasons.update(counts.rejected)
        return dict(reasons)


def read_state(
    layout: Layout, settings: Settings, plans: Sequence[Planned], paths: Sequence[str] = ()
) -> RunState:
    """The state of a run by its plans, all of which count; paths: of more shards, not planned."""
    shards = {path: ShardState(path, None) for path in paths}
    shards |= {p.shard.path: ShardState(p.shard.path, p) for each in plans for p in each.plans}
    state = RunState([shards[path] for path in sorted(shards)], list(plans))
    parts = {name.removesuffix(f".{settings.format}") for name in list_names(layout.parts)}
    committed = parts & {name.removesuffix(".json") for name in list_names(layout.blocks)}
    rejects = {name.removesuffix(".jsonl") for name in list_names(layout.rejects)}
    keys = [key for planned in plans for key in planned.keys if key.stem in committed]
    found = of_each(layout.root, lambda key: read_accounts(layout, key.stem), keys)
    for key, accounts in zip(keys, found, strict=True):
        if accounts is None or not accounts.match(key, settings.fingerprint):
            continue
        if not accounts.rejects_sha256 or key.stem in rejects:
            state.done[key.stem] = accounts
            for counts in accounts.pieces:
                shards[counts.shard].done.append(counts)
    return state


def state_now(
    layout: Layout, settings: Settings, paths: Sequence[str], recorded: Sequence[Planned]
) -> RunState:
    """The state in which a command finds a run: a plan counts if its files are as they were.

    Of a pack with files that are damaged, or cannot be read, the others count.
    """
    plans = {plan.shard.path: plan for planned in recorded for plan in planned.plans}
    known = [path for path in paths if path in plans]
    root = next(filter(is_remote, paths), "")
    held = of_each(root, lambda path: holds(plans[path], path, settings), known)
    gone = {path for path, is_held in zip(known, held, strict=True) if not is_held}
    now = [planned for planned in recorded if _counts(planned, gone)]
    state = read_state(layout, settings, now, paths)
    for shard in state.shards:
        if shard.path in gone:
            shard.plan = None
    return state


def _counts(planned: Planned, gone: Set[str]) -> bool:
    """Whether the blocks of a plan are as they were, with these files not as they were."""
    if not planned.known:
        return False
    return all(plan.shard.path not in gone for plan in planned.plans if plan.good)


def plans_of(layout: Layout, paths: Iterable[str]) -> list[Planned]:
    """The plans on record of these shards, of which a pipeline has just made some."""
    wanted = set(paths)
    recorded = recorded_plans(layout)
    return [each for each in recorded if any(plan.shard.path in wanted for plan in each.plans)]


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
    damaged = {each.stem for each in state.plans if any(plan.damaged for plan in each.plans)}
    own = {each.stem for each in state.plans} | {shard_stem(shard.path) for shard in state.shards}
    needed = set(own)
    for folder in (layout.blocks, layout.parts, layout.rejects):
        for name in list_names(folder):
            match = BLOCK_NAME.fullmatch(name)
            if match is None or match["stem"] in state.done:
                continue
            if match["plan"] not in own:
                if folder == layout.parts:
                    needed.add(match["plan"])
            elif join(folder, name) in seen or match["plan"] in damaged:
                delete(join(folder, name))
    for name in list_names(layout.plan):
        match, path = PLAN_NAME.fullmatch(name), join(layout.plan, name)
        if match and path in seen and match["plan"] not in needed:
            delete(path)
