"""The plan of a shard: its blocks, its lines, and whether it is whole.

The plan is a pure function of the file and the block size. Small files are planned together: see
packs.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from elmo_beam.transforms.accounts import BlockKey, Piece
from elmo_beam.transforms.files.layout import Layout, block_stem, shard_stem
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import read_bytes, write_bytes
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import check_field_types, input_format
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
    def plans(self) -> tuple[Plan, ...]:
        """The plans of all files that are planned together: of this one alone."""
        return (self,)

    @property
    def stem(self) -> str:
        """What the names of everything written for this plan begin with."""
        return shard_stem(self.shard.path)

    @property
    def keys(self) -> list[BlockKey]:
        """The blocks that are asked for."""
        return [BlockKey(block_stem(self.stem, p.block.start), (p,)) for p in self.pieces]

    @property
    def pieces(self) -> list[Piece]:
        """The blocks as pieces of the shard."""
        return [Piece(self.shard.path, self.content, block) for block in self.blocks]

    @property
    def known(self) -> bool:
        """Whether the file has been looked at; a new pack's have not."""
        return self.good or self.damaged is not None or self.unread is not None

    @property
    def good(self) -> bool:
        """Whether the blocks are all that the shard holds."""
        return self.damaged is None and self.content != ""

    @property
    def lines(self) -> int:
        """Lines of the whole shard."""
        return sum(block.lines for block in self.blocks)

    def to_json(self) -> str:
        """The plan as its file keeps it."""
        return json.dumps(self.to_document()) + "\n"

    def to_document(self) -> dict[str, Any]:
        """The plan as a JSON document; blocks as [start, length, line, lines]."""
        blocks = [[b.start, b.length, b.line, b.lines] for b in self.blocks]
        return {**asdict(self), "lines": self.lines, "blocks": blocks}

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """The plan that `to_json` wrote."""
        return cls.from_document(json.loads(text))

    @classmethod
    def from_document(cls, d: dict[str, Any]) -> Plan:
        """The plan that `to_document` gave."""
        blocks = [Block(*b) for b in d["blocks"]]
        why = (d["damaged"], d.get("unread"))
        return cls(Shard(**d["shard"]), d["block_size"], d["content"], blocks, *why)


@dataclass(frozen=True)
class Span:
    """Consecutive blocks of one shard: what one reader takes at a time."""

    shard: Shard
    content: str
    keys: list[BlockKey]


def recorded_plan(layout: Layout, path: str) -> Plan | None:
    """The plan on record, None if there is none that can be read."""
    text = read_bytes(layout.plan_of(path))
    try:
        return None if text is None else Plan.from_json(text)
    except (ValueError, TypeError, KeyError):  # a file that lost its bytes in a power cut, say
        return None


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
        check_field_types(path, settings)
        content, blocks = source.cut(shard, settings)
        return Plan(shard, settings.block_size, content, blocks)
    except Damaged as damage:
        return Plan(shard, settings.block_size, "", [], damaged=str(damage))
    except Unread as cause:
        return Plan(shard, settings.block_size, "", [], unread=str(cause))


def renewed(before: Plan | None, path: str, settings: Settings) -> Plan:
    """The plan of before if it still holds, else a new one.

    A good plan is not given up because the file cannot be read now: its blocks may be done.
    """
    if before is not None and holds(before, path, settings):
        return replace(before, unread=None)
    plan = make_plan(path, settings)
    if plan.unread and before and before.good and before.block_size == settings.block_size:
        return replace(before, unread=plan.unread)
    return plan


def plan_shard(layout: Layout, path: str, settings: Settings) -> Plan:
    """The shard's plan, renewed and on record."""
    before = recorded_plan(layout, path)
    plan = renewed(before, path, settings)
    if plan != before:
        write_plan(layout, plan)
    return plan


def spans_of(plan: Plan) -> Iterator[Span]:
    """The plan's blocks in runs; none where the file cannot be read now."""
    if plan.unread is not None:
        return
    size = SPAN_BLOCKS
    if not plan.shard.seekable:
        size = max(1, -(-len(plan.blocks) // FILE_SPANS))
    keys = plan.keys
    for i in range(0, len(keys), size):
        yield Span(plan.shard, plan.content, keys[i : i + size])
