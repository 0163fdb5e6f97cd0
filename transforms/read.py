"""Spans to blocks of raw lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from elmo_beam.transforms.accounts import BlockKey, is_done
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, stat_shard
from elmo_beam.transforms.plan import Span, recorded_plan, write_plan


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

    A file that is no longer as planned is marked as damaged in its plan, and nothing more of it is
    read.
    """
    keys = [BlockKey(span.shard.path, span.content, block) for block in span.blocks]
    todo = [key for key in keys if not is_done(layout, settings, key)]
    try:
        if todo and stat_shard(span.shard.path) != span.shard:
            raise Damaged(CHANGED)
        read = input_format(span.shard.path).read
        tables = read(span.shard, [key.block for key in todo], settings)
        for key, table in zip(todo, tables, strict=False):
            yield RawBlock(key, table)
    except Damaged as damage:
        plan = recorded_plan(layout, span.shard.path)
        if plan is not None:
            write_plan(layout, replace(plan, damaged=str(damage), blocks=[]))
