"""Parquet: a row per document, of which one column is the text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from elmo_beam.elmo.errors import cause_of
from elmo_beam.elmo.wording import counted
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block, cut_rows
from elmo_beam.transforms.inputs.fields import kept_fields
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.ids import identities
from elmo_beam.transforms.inputs.lines import LIMIT_LINE, Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.parquet_columns import (
    column_at,
    is_text,
    kept_column,
    size_of,
    text_heads,
    text_lengths,
)
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard, SourceFile, Unread
from elmo_beam.transforms.inputs.values import unreadable

UNREADABLE = "cannot be read to its end"
CHUNK = 1 << 20  # bytes read at once
BATCH_BYTES = 4 << 20  # bytes decoded at once, if a page and a row are no larger
MOST_ROWS = 256  # of a batch
MOST_ROWS_OF_DICTIONARY = 4096  # each batch of these copies the dictionary, which is in memory


class ParquetRows:
    """A file's text column, and its id and kept columns if any. Raises Unread and Damaged."""

    def __init__(self, shard: Shard, settings: Settings) -> None:
        self._text, self._id = settings.text_column, settings.id_field
        self._kept = kept_fields(settings.keep_fields)
        own = [self._text, *([self._id] if self._id else []), *self._kept.names]
        self._columns = list(dict.fromkeys(own))
        with _damage("cannot be opened as Parquet"):
            self._raw = SourceFile(shard.path)
        try:
            with _damage("cannot be opened as Parquet"):
                # Without a buffer, or with `pre_buffer`, a whole row group is in memory at once.
                self._file = pq.ParquetFile(
                    self._raw,
                    page_checksum_verification=True,
                    buffer_size=CHUNK,
                    pre_buffer=False,
                )
                self._check_columns(self._file.schema_arrow)
        except (Damaged, Unread):
            self._raw.close()
            raise

    def __enter__(self) -> ParquetRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    @property
    def count(self) -> int:
        """Rows in the file."""
        return int(self._file.metadata.num_rows)

    def check(self, limit: int | None, content: hashlib._Hash) -> tuple[np.ndarray, int]:
        """Decode every page that a reader will need; bytes of each text, and of all.

        limit: of the first rows only, which go into the hash. uint32 [rows], as bytes are kept of a
        text, at most 1 MiB, and the sum of all bytes. The footer gives the size of the encoded
        column, far less where text repeats itself. Raises Damaged too if the footer counts other
        rows than there are.
        """
        metadata = self._file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        promised = sum(group.num_rows for group in groups)
        if promised != self.count:
            rows = counted(promised, "row")
            raise Damaged(f"has row groups of {rows}, but its footer says {self.count:,}")
        expected = self.count if limit is None else min(self.count, limit)
        if expected < self.count:
            before = accumulate((group.num_rows for group in groups), initial=0)
            groups = [group for group, rows in zip(groups, before, strict=False) if rows < expected]
        sizes, total, left = [np.zeros(0, np.uint32)], 0, expected
        with _damage(UNREADABLE):
            for batch in self._batches(range(len(groups))):
                if limit is not None:
                    # Not a slice, which would be serialized with some of what follows.
                    batch = batch.take(pa.array(np.arange(min(left, batch.num_rows))))
                    content.update(_serialized(batch))
                left -= batch.num_rows
                lengths = text_lengths(batch.column(self._text)).to_numpy()
                sizes.append(np.minimum(lengths, LIMIT_LINE).astype(np.uint32))
                total += int(lengths.sum())
                if limit is not None and left == 0:
                    break
        kept = np.concatenate(sizes)
        if len(kept) != expected:
            rows = counted(len(kept), "row")
            raise Damaged(f"has {rows}, but its footer says {self.count:,}")
        with _damage(UNREADABLE):
            self._check_values(groups)
        return kept, total

    def read(self, ranges: Sequence[tuple[int, int]]) -> Iterator[pa.Table]:
        """Rows start..start + length - 1 for each range, in order; decoded once for all of them.

        raw (large_binary, only the head of a text over 1 MiB), length (int64), the id column as it
        is, and the kept columns as the run keeps them.
        """
        if not ranges:
            return
        groups, position = self._groups_from(ranges[0][0])
        pieces = self._pieces(groups)
        held = pa.table({})
        for start, length in ranges:
            while position + held.num_rows < start + length:
                piece = next(pieces, None)
                if piece is None:
                    raise Damaged(CHANGED)
                # What lies before the range is released at once.
                held = pa.concat_tables([held, piece]) if held.num_rows else piece
                gone = min(max(start - position, 0), held.num_rows)
                held, position = held.slice(gone), position + gone
            yield held.slice(start - position, length)
            held, position = held.slice(start - position + length), start + length

    def _check_columns(self, schema: pa.Schema) -> None:
        for name in self._columns:
            if name in self._kept.names and column_at(schema, name) is not None:
                continue
            if name not in schema.names:
                raise Damaged(f"has no column {name!r}: it has {', '.join(schema.names)}")
            if schema.names.count(name) > 1:
                raise Damaged(f"has several columns {name!r}")
        kind = schema.field(self._text).type
        if not is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            raise Damaged(f"column {self._text!r} is {kind}, not text")

    def _check_values(self, groups: list[pq.RowGroupMetaData]) -> None:
        """Raise Damaged if a row group has other rows than its columns have values.

        Only once they are decoded: Arrow ends the process over metadata that it cannot decode.
        """
        schema = self._file.metadata.schema
        for i in range(len(schema)):
            path = schema.column(i).path
            wanted = any(f"{path}.".startswith(f"{name}.") for name in self._columns)
            if not wanted or schema.column(i).max_repetition_level:  # a list has any number
                continue
            for number, group in enumerate(groups):
                values = group.column(i).num_values
                if values != group.num_rows:
                    raise Damaged(
                        f"has {counted(values, 'value')} of column {path!r} in row group {number}, "
                        f"but its footer says {counted(group.num_rows, 'row')}"
                    )

    def _groups_from(self, row: int) -> tuple[range, int]:
        """The row groups from the one that holds a row, and where that one begins."""
        metadata, first = self._file.metadata, 0
        for i in range(metadata.num_row_groups):
            rows = metadata.row_group(i).num_rows
            if first + rows > row:
                return range(i, metadata.num_row_groups), first
            first += rows
        return range(0), first

    def _pieces(self, groups: Iterable[int]) -> Iterator[pa.Table]:
        """Rows as `read` gives them, up to BATCH_BYTES of text at once, or one row."""
        with _damage(UNREADABLE):
            for batch in self._batches(groups):
                lengths = text_lengths(batch.column(self._text))
                ends = np.cumsum(np.minimum(lengths.to_numpy(), LIMIT_LINE))
                start = 0
                while start < batch.num_rows:
                    limit = (ends[start - 1] if start else 0) + BATCH_BYTES
                    stop = max(start + 1, int(np.searchsorted(ends, limit, "right")))
                    rows = batch.slice(start, stop - start)
                    columns = {
                        "raw": text_heads(rows.column(self._text)),
                        "length": lengths.slice(start, stop - start),
                    }
                    if self._id:
                        columns["id"] = rows.column(self._id)
                    for field in self._kept:
                        columns[field.name] = kept_column(rows, field)
                    yield pa.table(columns)
                    start = stop

    def _batches(self, groups: Iterable[int]) -> Iterator[pa.RecordBatch]:
        """The columns as they are, about BATCH_BYTES at once.

        The footer does not say how large rows are: each batch tells how many the next may have.
        """
        rows, most = 1, MOST_ROWS
        if pa.types.is_dictionary(self._file.schema_arrow.field(self._text).type):
            rows = most = MOST_ROWS_OF_DICTIONARY
        for batch in self._file.iter_batches(
            rows, row_groups=list(groups), columns=self._columns, use_threads=False
        ):
            yield batch
            size = sum(size_of(column) for column in batch.columns)
            fit = BATCH_BYTES * batch.num_rows // max(size, 1)
            rows = max(1, min(2 * rows, fit, most))
            self._file.reader.set_batch_size(rows)


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Damaged for whatever cannot be decoded."""
    try:
        yield
    except (Damaged, Unread):
        raise
    except MemoryError as error:  # Arrow's too: the next try may find more
        raise Unread(cause_of(error)) from None
    except Exception as error:
        raise Damaged(f"{what}: {cause_of(error)}") from None


def column_type(path: str, name: str) -> pa.DataType | None:
    """The type of a file's column, None if it has none of this name; raises Unread, Damaged."""
    with _damage("cannot be opened as Parquet"), SourceFile(path) as raw:
        kind: Any = pq.read_schema(raw)
    at = column_at(kind, name)
    for step in at or ():
        kind = kind.field(step).type
    return None if at is None else kind


def _serialized(batch: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def cut_file(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """The sha256 of the file, with `limit` of its first rows, and its blocks by bytes of text."""
    content = hashlib.sha256()
    if settings.limit is None:
        with _damage("cannot be read"), SourceFile(shard.path) as file:
            while chunk := file.read(CHUNK):
                content.update(chunk)
    with ParquetRows(shard, settings) as rows:
        blocks = cut_rows(*rows.check(settings.limit, content), settings.block_size)
    return content.hexdigest(), blocks


def read_rows(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The rows of some blocks, in order, with the id and kept columns if any."""
    with ParquetRows(shard, settings) as rows:
        tables = rows.read([(block.start, block.length) for block in blocks])
        for block, table in zip(blocks, tables, strict=True):
            if table.num_rows != block.lines:
                raise Damaged(CHANGED)
            offsets = np.arange(block.start, block.start + block.length)
            yield table.append_column("offset", pa.array(offsets, pa.int64()))


def row_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each row's text, and its id. The kept columns are checked, and stay columns."""
    texts = each_line(table, lambda raw: Record(decoded(raw)))
    kept = kept_fields(settings.keep_fields).names
    bad: set[int] = set().union(*(unreadable(table[name]) for name in kept))
    ids = identities(table["id"]) if settings.id_field else [None] * table.num_rows
    for row, (text, identity) in enumerate(zip(texts, ids, strict=True)):
        if isinstance(identity, Rejected):
            yield text if isinstance(text, Rejected) else identity
        elif isinstance(text, Rejected):
            yield Rejected(text.reason, identity)
        elif row in bad:
            yield Rejected("bad_field", identity)
        else:
            yield replace(text, identity=identity)


FORMAT = InputFormat(
    suffixes=(".parquet",),
    compressible=False,
    cut=cut_file,
    read=read_rows,
    records=row_records,
    packs=False,
    field_type=column_type,
)
