"""The plan of a shard: its blocks, its lines, and whether it is whole.

A block is a run of whole lines. From the start of the file, lines are added until the next would
pass the block size; a longer line is a block by itself. So the plan is a pure function of the file
and the size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from transforms.layout import Layout
from transforms.parquet_rows import ParquetRows
from transforms.settings import Settings
from transforms.shards import Damaged, Shard, TextStream, check_magic, stat_shard
from transforms.storage import join, list_names, read_bytes, write_bytes

CHUNK = 4 << 20
SPAN_BLOCKS = 16  # blocks a span, where a reader can seek
FILE_SPANS = 16  # spans a file, where each reader must decompress from the start


@dataclass(frozen=True)
class Block:
    """start, length: bytes of decompressed text, or rows of Parquet; line: its first line."""

    start: int
    length: int
    line: int
    lines: int


@dataclass(frozen=True)
class Plan:
    """What one shard holds.

    content: sha256 of the decompressed text; for Parquet the file's size and time.
     damaged: why nothing of it
    is embedded, or None.
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
    """Consecutive blocks of one shard: what one reader takes at once."""

    shard: Shard
    content: str
    blocks: list[Block]


def recorded_plan(layout: Layout, path: str) -> Plan | None:
    """The plan on record, None where there is none that can be read."""
    return parse_plan(read_bytes(layout.plan_of(path)))


def parse_plan(text: bytes | None) -> Plan | None:
    """The plan that `to_json` wrote, None where it is none."""
    try:
        return None if text is None else Plan.from_json(text)
    except (ValueError, TypeError, KeyError):  # a file that lost its bytes with the power, say
        return None


def recorded_shards(layout: Layout) -> list[str]:
    """The paths of all shards that the run has plans of."""
    texts = (read_bytes(join(layout.plan, name)) for name in list_names(layout.plan))
    return sorted(plan.shard.path for plan in map(parse_plan, texts) if plan)


def write_plan(layout: Layout, plan: Plan) -> None:
    """Put a plan on record."""
    write_bytes(layout.root, layout.plan_of(plan.shard.path), plan.to_json().encode())


def current_plan(layout: Layout, path: str, settings: Settings) -> Plan | None:
    """The plan on record, if it is of the file as it is now and was not damaged."""
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
        cut = _plan_parquet if shard.kind == "parquet" else _plan_text
        content, blocks = cut(shard, settings)
        return Plan(shard, settings.block_size, content, blocks)
    except Damaged as damage:
        return Plan(shard, settings.block_size, "", [], str(damage))


def plan_shard(layout: Layout, path: str, settings: Settings) -> Plan:
    """The plan on record if it still holds, else a new one, written where the command reads it."""
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


def _plan_text(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    sha = hashlib.sha256()
    with TextStream(shard) as stream:
        blocks = cut_blocks(_chunks(stream, sha), settings.block_size)
    return sha.hexdigest(), blocks


def _chunks(stream: TextStream, sha: hashlib._Hash) -> Iterator[bytes]:
    chunk = stream.read(CHUNK)
    check_magic(chunk)
    while chunk:
        sha.update(chunk)
        yield chunk
        chunk = stream.read(CHUNK)


def cut_blocks(chunks: Iterable[bytes], size: int) -> list[Block]:
    """The blocks of a text that arrives in chunks; no line of it need fit into memory."""
    blocks: list[Block] = []
    position = start = end = line = lines = 0  # the open block is start..end, whole lines

    def cut(stop: int, count: int) -> None:
        nonlocal start, end, line, lines
        blocks.append(Block(start, stop - start, line, count))
        start, end, line, lines = stop, max(end, stop), line + count, 0

    def add(ends: np.ndarray) -> None:
        nonlocal end, lines
        i = 0
        while i < len(ends):
            fit = int(np.searchsorted(ends, start + size, "right"))
            if fit > i:
                end, lines, i = int(ends[fit - 1]), lines + fit - i, fit
            elif end > start:
                cut(end, lines)
            else:  # one line longer than a block
                cut(int(ends[i]), 1)
                i += 1

    for chunk in chunks:
        add(np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + position + 1)
        position += len(chunk)
    if position > end:  # the last line has no line feed
        add(np.array([position]))
    if end > start:
        cut(end, lines)
    return blocks


def _plan_parquet(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    with ParquetRows(shard, settings) as rows:
        per_block = max(1, settings.block_size * rows.count // max(rows.check(), 1))
        blocks = [
            Block(start, lines, start, lines)
            for start in range(0, rows.count, per_block)
            for lines in [min(per_block, rows.count - start)]
        ]
    return f"{shard.size}-{shard.modified}", blocks
