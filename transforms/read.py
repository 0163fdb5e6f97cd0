"""Spans to blocks of raw lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from elmo_beam.transforms.accounts import BlockKey, is_done
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard, Unread, stat_shard
from elmo_beam.transforms.plan import Span, make_plan, recorded_plan, write_plan


@dataclass(frozen=True)
class RawBlock:
    """A block's lines as they are in the file.

    lines: a table of raw (large_binary, null where Parquet has null; only the head of a line over
    1 MiB), length (int64, bytes), offset (int64, bytes of decompressed text, or the row) and, from
    Parquet with `id_field`, id.
    """

    key: BlockKey
    lines: pa.Table

    def __len__(self) -> int:
        return int(self.lines.num_rows)


def read_span(layout: Layout, span: Span, settings: Settings) -> Iterator[RawBlock]:
    """A span's blocks, without those that are done already.

    Where a file cannot be read on, its plan says why and keeps its blocks. Where it is no longer as
    planned, which a second reading proves, its plan says that it is damaged.
    """
    keys = [BlockKey(span.shard.path, span.content, block) for block in span.blocks]
    todo = [key for key in keys if not is_done(layout, settings, key)]
    shard = span.shard
    try:
        read = input_format(shard.path).read
        tables = read(shard, [key.block for key in todo], settings)
        for key in todo:
            table = next(tables)
            shard = _unchanged(layout, shard, span.content, settings)
            yield RawBlock(key, table)
    except (Damaged, Unread) as cause:
        _record(layout, span, settings, cause)


def _unchanged(layout: Layout, shard: Shard, content: str, settings: Settings) -> Shard:
    """The file as it is now, which may have a new time, but not a new content: Damaged."""
    now = stat_shard(shard.path)
    if now == shard:
        return now
    plan = recorded_plan(layout, shard.path)
    if plan is None or plan.shard != now:  # else another reader has found out already
        plan = make_plan(shard.path, settings)
        if plan.content == content:
            write_plan(layout, plan)
    if plan.unread:
        raise Unread(plan.unread)
    if plan.content != content:
        raise Damaged(plan.damaged or CHANGED)
    return plan.shard


def _record(layout: Layout, span: Span, settings: Settings, cause: Damaged | Unread) -> None:
    """Say in the plan why its file could not be read on."""
    path = span.shard.path
    plan = recorded_plan(layout, path)
    if plan is None or plan.content != span.content:
        return  # another reader has recorded it
    if isinstance(cause, Damaged):
        again = make_plan(path, settings)
        if not again.unread and again.content != span.content:
            damaged = again.damaged or CHANGED
            write_plan(layout, replace(plan, damaged=damaged, content="", blocks=[]))
            return
    write_plan(layout, replace(plan, unread=str(cause)))
