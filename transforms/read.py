"""Spans to blocks of raw lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from elmo_beam.transforms.accounts import BlockKey, Piece, left_to_do
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard, Unread, stat_shard
from elmo_beam.transforms.packs import PackSpan, recorded_pack, without, write_pack
from elmo_beam.transforms.plan import Plan, Span, make_plan, recorded_plan, write_plan


@dataclass(frozen=True)
class RawBlock:
    """A block's lines as they are in its files.

    tables: one for each of the key's pieces, of raw (large_binary, null where Parquet has null;
    only the head of a line over 1 MiB), length (int64, bytes), offset (int64, bytes of decompressed
    text, or the row) and what else the file's format needs.
    """

    key: BlockKey
    tables: list[pa.Table]

    def __len__(self) -> int:
        return sum(int(table.num_rows) for table in self.tables)


def read_span(
    layout: Layout, span: Span | PackSpan, settings: Settings, again: bool = False
) -> Iterator[RawBlock]:
    """A span's blocks, without those that are done already, unless they are to be read again."""
    if isinstance(span, PackSpan):
        return read_pack(layout, span.stem, settings, again)
    return _read_file(layout, span, settings, again)


def _read_file(layout: Layout, span: Span, settings: Settings, again: bool) -> Iterator[RawBlock]:
    """The blocks of a span of one file.

    Where a file cannot be read on, its plan says why and keeps its blocks. Where it is no longer as
    planned, which a second reading proves, its plan says that it is damaged.
    """
    todo = span.keys if again else left_to_do(layout, settings, span.keys)
    shard = span.shard
    try:
        read = input_format(shard.path).read
        tables = read(shard, [key.pieces[0].block for key in todo], settings)
        for key in todo:
            table = next(tables)
            now = stat_shard(shard.path)
            if now != shard:
                plan = _planned_again(layout, span, settings, now)
                if not plan.good or plan.unread is not None:
                    return
                shard = plan.shard
            yield RawBlock(key, [table])
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


def read_pack(
    layout: Layout, stem: str, settings: Settings, again: bool = False
) -> Iterator[RawBlock]:
    """A pack's blocks, without those that are done already, unless they are to be read again.

    A file that cannot be read, or is no longer as planned, is left out of its block, and its plan
    says why.
    """
    pack = recorded_pack(layout, stem)
    read: set[BlockKey] = set()
    while pack is not None:
        plans = {plan.shard.path: plan for plan in pack.plans}
        keys = pack.keys if again else left_to_do(layout, settings, pack.keys)
        todo = [key for key in keys if key not in read]
        if not todo:
            return
        tables = []
        for piece in todo[0].pieces:
            table, plan = _read_piece(plans[piece.shard], piece, settings)
            if plan != plans[piece.shard]:
                pack = pack.with_plan(plan)
                write_pack(layout, pack)
            if table is None:
                break
            tables.append(table)
        else:
            read.add(todo[0])
            yield RawBlock(todo[0], tables)


def _read_piece(plan: Plan, piece: Piece, settings: Settings) -> tuple[pa.Table | None, Plan]:
    """A piece's lines, None if they cannot be had, and its file's plan after that."""
    path, table, cause = piece.shard, None, CHANGED
    if plan.unread is not None:
        return None, without(plan, unread=plan.unread)
    try:
        [table] = input_format(path).read(plan.shard, [piece.block], settings)
        if stat_shard(path) == plan.shard:
            return table, plan
    except Damaged as damage:
        cause = str(damage)
    except Unread as error:
        return None, without(plan, unread=str(error))
    again = make_plan(path, settings)
    if again.content == plan.content:
        return table, again if table is not None else without(again, unread=cause)
    if again.unread is not None:
        return None, without(again, unread=again.unread)
    return None, without(again, damaged=again.damaged or CHANGED)
