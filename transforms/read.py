"""Spans to blocks of raw lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from transforms.accounts import BlockKey, is_done
from transforms.layout import Layout
from transforms.parquet_rows import ParquetRows
from transforms.plan import Block, Span, recorded_plan, write_plan
from transforms.settings import LIMIT_LINE, Settings
from transforms.shards import BOM, CHANGED, Damaged, Shard, TextStream, stat_shard

HEAD = 64 << 10  # bytes kept of a line that is too long to hold


@dataclass(frozen=True)
class RawBlock:
    """A block's lines as they stand in the file.

    kind: `text`, `json` or `parquet`. lines: a table of raw (large_binary, null where Parquet has
    null; only the head of a line over 1 MiB), length (int64, bytes), offset (int64, bytes of
    decompressed text, or the row) and, from Parquet with `--id_field`, id.
    """

    key: BlockKey
    kind: str
    lines: pa.Table

    def __len__(self) -> int:
        return int(self.lines.num_rows)


def read_blocks(shard: Shard, blocks: list[Block], settings: Settings) -> Iterator[pa.Table]:
    """The lines of some blocks of a shard, in order; raises Damaged if it is not as planned."""
    if shard.kind == "parquet":
        yield from _read_parquet(shard, blocks, settings)
        return
    with TextStream(shard) as stream:
        position = 0
        for block in blocks:
            stream.skip(block.start - position)
            position = block.start + block.length
            if block.lines == 1 and block.length > LIMIT_LINE + len(BOM + b"\r\n"):
                yield _long_line(stream, block)
            else:
                yield _lines(stream.read(block.length), block)


def _lines(data: bytes, block: Block) -> pa.Table:
    lines = data.split(b"\n")
    if data.endswith(b"\n"):
        lines.pop()
    if len(data) != block.length or len(lines) != block.lines:
        raise Damaged(CHANGED)
    lengths = np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines))
    offsets = block.start + np.cumsum(lengths) - lengths
    if block.start == 0:
        lines[0] = lines[0].removeprefix(BOM)
    texts = [line.removesuffix(b"\r") for line in lines]
    sizes = [len(text) for text in texts]
    kept = [text if len(text) <= LIMIT_LINE else text[:HEAD] for text in texts]
    return _table(kept, sizes, offsets)


def _long_line(stream: TextStream, block: Block) -> pa.Table:
    """A line that is too long to hold: its head, and its length without BOM and line end."""
    head = stream.read(HEAD + len(BOM))
    stream.skip(block.length - len(head) - len(b"\r\n"))
    tail = stream.read(len(b"\r\n"))
    if len(tail) != len(b"\r\n"):
        raise Damaged(CHANGED)
    text = head.removeprefix(BOM) if block.start == 0 else head
    end = tail.removesuffix(b"\n").removesuffix(b"\r")
    size = block.length - (len(head) - len(text)) - (len(tail) - len(end))
    return _table([text[:HEAD]], [size], np.array([block.start]))


def _read_parquet(shard: Shard, blocks: list[Block], settings: Settings) -> Iterator[pa.Table]:
    with ParquetRows(shard, settings) as rows:
        tables = rows.read([(block.start, block.length) for block in blocks])
        for block, table in zip(blocks, tables, strict=True):
            if table.num_rows != block.lines:
                raise Damaged(CHANGED)
            texts = table["raw"].to_pylist()
            sizes = [len(text or b"") for text in texts]
            kept = [
                text if size <= LIMIT_LINE else text[:HEAD]
                for text, size in zip(texts, sizes, strict=True)
            ]
            lines = _table(kept, sizes, np.arange(block.start, block.start + block.length))
            yield lines.append_column("id", table["id"]) if settings.id_field else lines


def _table(raw: Sequence[bytes | None], sizes: list[int], offsets: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "raw": pa.array(raw, pa.large_binary()),
            "length": pa.array(sizes, pa.int64()),
            "offset": pa.array(offsets, pa.int64()),
        }
    )


def read_span(layout: Layout, span: Span, settings: Settings) -> Iterator[RawBlock]:
    """A span's blocks, less those that are done already.

    A file that is no longer as planned is marked as damaged in its plan, and nothing more of it
    is read.
    """
    keys = [BlockKey(span.shard.path, span.content, block) for block in span.blocks]
    todo = [key for key in keys if not is_done(layout, settings, key)]
    try:
        if todo and stat_shard(span.shard.path) != span.shard:
            raise Damaged(CHANGED)
        tables = read_blocks(span.shard, [key.block for key in todo], settings)
        for key, table in zip(todo, tables, strict=False):
            yield RawBlock(key, span.shard.kind, table)
    except Damaged as damage:
        plan = recorded_plan(layout, span.shard.path)
        if plan is not None:
            write_plan(layout, replace(plan, damaged=str(damage), blocks=[]))
