"""The plan of a shard: its blocks, its lines, and whether it is whole.

The plan is a pure function of the file and the block size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import join, list_names, of_each, read_bytes, write_bytes
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import Damaged, Shard, Unread, stat_shard

SPAN_BLOCKS = 16  # per span, where a reader can seek
FILE_SPANS = 16  # per file, where each reader must decompress from the start


@dataclass(frozen=True)
class Plan:
    """What one shard holds.

    content: identifies it: the sha256 of the decompressed text, or of a Parquet file; empty if it
    could not be read. damaged: why nothing of it is embedded, or None. unread: why it could not be
    read to its end the last time, or None.
    """

    shard: Shard
    block_size: int
    content: str
    blocks: list[Block]
    damaged: str | None = None
    unread: str | None = None

    @property
    def good(self) -> bool:
        """Whether the blocks are all that the shard holds."""
        return self.damaged is None and self.content != ""

    @property
    def lines(self) -> int:
        """Lines of the whole shard."""
        return sum(block.lines for block in self.blocks)

    def to_json(self) -> str:
        """The plan as its file keeps it; blocks as [start, length, line, lines]."""
        blocks = [[b.start, b.length, b.line, b.lines] for b in self.blocks]
        return json.dumps({**asdict(self), "lines": self.lines, "blocks": blocks}) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """The plan that `to_json` wrote."""
        d = json.loads(text)
        blocks = [Block(*b) for b in d["blocks"]]
        why = (d["damaged"], d.get("unread"))
        return cls(Shard(**d["shard"]), d["block_size"], d["content"], blocks, *why)


@dataclass(frozen=True)
class Span:
    """Consecutive blocks of one shard: what one reader takes at a time."""

    shard: Shard
    content: str
    blocks: list[Block]


def recorded_plan(layout: Layout, path: str) -> Plan | None:
    """The plan on record, None if there is none that can be read."""
    return parse_plan(read_bytes(layout.plan_of(path)))


def parse_plan(text: bytes | None) -> Plan | None:
    """The plan that `to_json` wrote, None if the text is not one."""
    try:
        return None if text is None else Plan.from_json(text)
    except (ValueError, TypeError, KeyError):  # a file that lost its bytes in a power cut, say
        return None


def recorded_plans(layout: Layout) -> dict[str, Plan]:
    """All plans that the run has, by the paths of their shards, in order."""
    names = list_names(layout.plan)
    texts = of_each(layout.root, lambda name: read_bytes(join(layout.plan, name)), names)
    plans = [plan for plan in map(parse_plan, texts) if plan]
    return {plan.shard.path: plan for plan in sorted(plans, key=lambda plan: plan.shard.path)}


def write_plan(layout: Layout, plan: Plan) -> None:
    """Put a plan on record."""
    write_bytes(layout.root, layout.plan_of(plan.shard.path), plan.to_json().encode())


def holds(plan: Plan | None, path: str, settings: Settings) -> bool:
    """Whether a plan on record is good and describes the file as it is now."""
    if plan is None or not plan.good or plan.block_size != settings.block_size:
        return False
    try:
        return plan.shard == stat_shard(path)
    except (Damaged, Unread):
        return False


def make_plan(path: str, settings: Settings) -> Plan:
    """Read the shard once and plan it; one that is damaged or unread gives a plan that says so."""
    shard = Shard(path, 0, 0.0)
    try:
        shard = stat_shard(path)
        source = input_format(path)
        source.check(settings)
        content, blocks = source.cut(shard, settings)
        return Plan(shard, settings.block_size, content, blocks)
    except Damaged as damage:
        return Plan(shard, settings.block_size, "", [], damaged=str(damage))
    except Unread as cause:
        return Plan(shard, settings.block_size, "", [], unread=str(cause))


def plan_shard(layout: Layout, path: str, settings: Settings) -> Plan:
    """The plan on record if it still holds, else a new one, which is put on record.

    A good plan is not given up because the file cannot be read now: its blocks may be done.
    """
    before = recorded_plan(layout, path)
    if before is not None and holds(before, path, settings):
        if before.unread is None:
            return before
        plan = replace(before, unread=None)
    else:
        plan = make_plan(path, settings)
        if plan.unread and before and before.good and before.block_size == settings.block_size:
            plan = replace(before, unread=plan.unread)
    write_plan(layout, plan)
    return plan


def spans_of(plan: Plan) -> Iterator[Span]:
    """The plan's blocks in runs; none where the file cannot be read now."""
    if plan.unread is not None:
        return
    size = SPAN_BLOCKS
    if not plan.shard.seekable:
        size = max(1, -(-len(plan.blocks) // FILE_SPANS))
    for i in range(0, len(plan.blocks), size):
        yield Span(plan.shard, plan.content, plan.blocks[i : i + size])
