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
from elmo_beam.transforms.plan import Plan, Span, make_plan, recorded_plan, write_plan


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


def read_span(
    layout: Layout, span: Span, settings: Settings, again: bool = False
) -> Iterator[RawBlock]:
    """A span's blocks, without those that are done already, unless they are to be read again.

    Where a file cannot be read on, its plan says why and keeps its blocks. Where it is no longer as
    planned, which a second reading proves, its plan says that it is damaged.
    """
    keys = [BlockKey(span.shard.path, span.content, block) for block in span.blocks]
    todo = [key for key in keys if again or not is_done(layout, settings, key)]
    shard = span.shard
    try:
        read = input_format(shard.path).read
        tables = read(shard, [key.block for key in todo], settings)
        for key in todo:
            table = next(tables)
            now = stat_shard(shard.path)
            if now != shard:
                plan = _planned_again(layout, span, settings, now)
                if not plan.good or plan.unread is not None:
                    return
                shard = plan.shard
            yield RawBlock(key, table)
    except Damaged as damage:
        plan = _planned_again(layout, span, settings, None)
        if plan.good and plan.unread is None:  # the next try may do
            write_plan(layout, replace(plan, unread=str(damage)))
    except Unread as cause:
        recorded = recorded_plan(layout, shard.path)
        if recorded is not None and recorded.content == span.content:
            write_plan(layout, replace(recorded, unread=str(cause)))


def _planned_again(layout: Layout, span: Span, settings: Settings, now: Shard | None) -> Plan:
    """The plan on record after a second reading of the file: damaged if its content is another.

    Another reader's will do, of a file that has changed, or that is `now` as it was then.
    """
    plan = recorded_plan(layout, span.shard.path)
    if plan is not None and (plan.content != span.content or plan.shard == now):
        return plan
    again = make_plan(span.shard.path, settings)
    if again.unread is not None:
        again = replace(plan or again, unread=again.unread)
    elif again.content != span.content:
        again = replace(again, damaged=again.damaged or CHANGED, content="", blocks=[])
    write_plan(layout, again)
    return again
