"""The output formats: how a block's table becomes a part file.

To add one, write a function (table, settings, path) and name it in FORMATS; the name is the suffix
of the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.settings import Settings

ROW_GROUP_BYTES = 64 << 20


@dataclass(frozen=True)
class Format:
    """How to write a part, and how to read its rows back as a table, to verify it.

    `read` gives the columns of `part_schema`, or those of them that the format keeps.
    """

    write: Callable[[pa.Table, Settings, str], None]
    read: Callable[[str, Settings], pa.Table]


def write_parquet(table: pa.Table, settings: Settings, path: str) -> None:
    """One Parquet file, zstd. Floats are not dictionary-encoded, which would halve the rate."""
    with open(path, "wb") as sink, parquet_writer(sink, table.schema, settings) as writer:
        if table.num_rows:  # a row group without rows is one that some readers fail on
            per_row = max(1, table.nbytes // table.num_rows)
            writer.write_table(table, row_group_size=max(1, ROW_GROUP_BYTES // per_row))


def parquet_writer(sink: object, schema: pa.Schema, settings: Settings) -> pq.ParquetWriter:
    """A writer with the encodings that suit the columns."""
    plain = [name for name in schema.names if name not in settings.outputs]
    encodings: dict[str, str] | None = None
    if settings.dtype == "float32":  # DuckDB cannot read BYTE_STREAM_SPLIT of float16
        encodings = {_leaf(schema.field(n)): "BYTE_STREAM_SPLIT" for n in settings.outputs}
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[_leaf(schema.field(name)) for name in plain],
        column_encoding=encodings,
        write_page_checksum=True,
    )


def _leaf(field: pa.Field) -> str:
    """The path of a column's values in a Parquet file."""
    path, kind = field.name, field.type
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return str(path)


def read_parquet(path: str, settings: Settings) -> pa.Table:
    """A part's rows, every page against its checksum."""
    return pq.read_table(path, page_checksum_verification=True, partitioning=None)


def _write_tfrecord(table: pa.Table, settings: Settings, path: str) -> None:
    from transforms.tfrecord import write_tfrecord

    write_tfrecord(table, settings, path)


def _read_tfrecord(path: str, settings: Settings) -> pa.Table:
    from transforms.tfrecord import read_tfrecord

    return read_tfrecord(path, settings)


FORMATS = {
    "parquet": Format(write_parquet, read_parquet),
    "tfrecord": Format(_write_tfrecord, _read_tfrecord),
}
