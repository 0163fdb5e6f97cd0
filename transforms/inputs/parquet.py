"""Parquet: a row per document, of which one column is the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block, cut_rows
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import cut_to_head, line_table
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard, SourceFile, Unread
from elmo_beam.transforms.inputs.text import parse_line

BATCH_ROWS = 4096


class ParquetRows:
    """A file's text column, and its id column if one is wanted. Raises Unread and Damaged."""

    def __init__(self, shard: Shard, settings: Settings) -> None:
        self._text, self._id = settings.text_column, settings.id_field
        self._columns = list(dict.fromkeys([self._text, *([self._id] if self._id else [])]))
        try:
            self._raw = SourceFile(shard.path)
            self._file = pq.ParquetFile(self._raw, page_checksum_verification=True)
        except Unread:
            raise
        except Exception as error:
            raise Damaged(f"cannot be opened as Parquet: {cause_of(error)}") from None
        schema = self._file.schema_arrow
        for name in self._columns:
            if name not in schema.names:
                raise Damaged(f"has no column {name!r}: it has {', '.join(schema.names)}")
            if schema.names.count(name) > 1:
                raise Damaged(f"has several columns {name!r}")
        kind = schema.field(self._text).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not _is_text(kind):
            raise Damaged(f"column {self._text!r} is {kind}, not text")

    def __enter__(self) -> ParquetRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    @property
    def count(self) -> int:
        """Rows in the file."""
        return int(self._file.metadata.num_rows)

    def check(self) -> int:
        """Decode every page that a reader will need; the bytes of all text.

        The footer gives the size of the encoded column, far less where text repeats itself.
        """
        size = 0
        for batch in self._batches(range(self._file.metadata.num_row_groups)):
            lengths = pc.binary_length(batch.column(self._text).cast(pa.large_binary()))
            size += pc.sum(lengths).as_py() or 0
        return size

    def read(self, ranges: Sequence[tuple[int, int]]) -> Iterator[pa.Table]:
        """Rows start..start + length - 1 for each range, in order; decoded once for all of them.

        The text as `raw` (large_binary), and the id column as it is.
        """
        if not ranges:
            return
        groups, position = self._groups_from(ranges[0][0])
        batches = self._batches(groups)
        held = pa.table({})
        for start, length in ranges:
            while position + held.num_rows < start + length:
                batch = next(batches, None)
                if batch is None:
                    raise Damaged(CHANGED)
                table = pa.Table.from_batches([batch])
                # What lies before the range is released at once.
                held = pa.concat_tables([held, table]) if held.num_rows else table
                gone = min(max(start - position, 0), held.num_rows)
                held, position = held.slice(gone), position + gone
            table = held.slice(start - position, length)
            held, position = held.slice(start - position + length), start + length
            columns = {"raw": table[self._text].cast(pa.large_binary())}
            if self._id:
                columns["id"] = table[self._id]
            yield pa.table(columns)

    def _groups_from(self, row: int) -> tuple[range, int]:
        """The row groups from the one that holds a row, and where that one begins."""
        metadata, first = self._file.metadata, 0
        for i in range(metadata.num_row_groups):
            rows = metadata.row_group(i).num_rows
            if first + rows > row:
                return range(i, metadata.num_row_groups), first
            first += rows
        return range(0), first

    def _batches(self, groups: Iterable[int]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(
                BATCH_ROWS, row_groups=list(groups), columns=self._columns
            )
        except Unread:
            raise
        except Exception as error:
            raise Damaged(f"cannot be read to its end: {cause_of(error)}") from None


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_string_view(kind)
    )


def cut_file(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """The file's size and time, and its blocks by the bytes of its text."""
    with ParquetRows(shard, settings) as rows:
        blocks = cut_rows(rows.count, rows.check(), settings.block_size)
    return f"{shard.size}-{shard.modified}", blocks


def read_rows(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The rows of some blocks, in order, with the id column if one is wanted."""
    with ParquetRows(shard, settings) as rows:
        tables = rows.read([(block.start, block.length) for block in blocks])
        for block, table in zip(blocks, tables, strict=True):
            if table.num_rows != block.lines:
                raise Damaged(CHANGED)
            texts = table["raw"].to_pylist()
            sizes = [len(text or b"") for text in texts]
            offsets = np.arange(block.start, block.start + block.length)
            lines = line_table([cut_to_head(text) for text in texts], sizes, offsets)
            yield lines.append_column("id", table["id"]) if settings.id_field else lines


FORMAT = InputFormat(
    suffixes=(".parquet",), compressible=False, cut=cut_file, read=read_rows, parse=parse_line
)
