"""The plan of a shard: its blocks, its lines, and whether it is whole.

The plan is a pure function of the file and the block size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import join, list_names, read_bytes, write_bytes
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import Damaged, Shard, stat_shard

SPAN_BLOCKS = 16  # per span, where a reader can seek
FILE_SPANS = 16  # per file, where each reader must decompress from the start


@dataclass(frozen=True)
class Plan:
    """What one shard holds.

    content: identifies it: the sha256 of the decompressed text, or of a Parquet file's bytes.
    damaged: why nothing of it is embedded, or None.
    """

    shard: Shard
    block_size: int
    content: str
    blocks: list[Block]
    damaged: str | None = None

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
        return cls(Shard(**d["shard"]), d["block_size"], d["content"], blocks, d["damaged"])


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


def recorded_shards(layout: Layout) -> list[str]:
    """The paths of all shards that the run has plans for."""
    texts = (read_bytes(join(layout.plan, name)) for name in list_names(layout.plan))
    return sorted(plan.shard.path for plan in map(parse_plan, texts) if plan)


def write_plan(layout: Layout, plan: Plan) -> None:
    """Put a plan on record."""
    write_bytes(layout.root, layout.plan_of(plan.shard.path), plan.to_json().encode())


def current_plan(layout: Layout, path: str, settings: Settings) -> Plan | None:
    """The plan on record, if it describes the file as it is now, undamaged."""
    plan = recorded_plan(layout, path)
    if plan is None or plan.damaged is not None or plan.block_size != settings.block_size:
        return None
    try:
        return plan if plan.shard == stat_shard(path) else None
    except Damaged:
        return None


def make_plan(path: str, settings: Settings) -> Plan:
    """Read the shard once and plan it; a damaged one gives a plan that says so."""
    shard = Shard(path, 0, 0.0)
    try:
        shard = stat_shard(path)
        content, blocks = input_format(path).cut(shard, settings)
        return Plan(shard, settings.block_size, content, blocks)
    except Damaged as damage:
        return Plan(shard, settings.block_size, "", [], str(damage))


def plan_shard(layout: Layout, path: str, settings: Settings) -> Plan:
    """The plan on record if it still holds, else a new one, which is put on record."""
    plan = current_plan(layout, path, settings)
    if plan is None:
        plan = make_plan(path, settings)
        write_plan(layout, plan)
    return plan


def spans_of(plan: Plan) -> Iterator[Span]:
    """The plan's blocks in runs."""
    size = SPAN_BLOCKS
    if not plan.shard.seekable:
        size = max(1, -(-len(plan.blocks) // FILE_SPANS))
    for i in range(0, len(plan.blocks), size):
        yield Span(plan.shard, plan.content, plan.blocks[i : i + size])
