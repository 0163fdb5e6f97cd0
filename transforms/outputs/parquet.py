"""Parquet parts: every column, zstd-compressed, each page with its checksum, and what made them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from elmo_beam.transforms.files.settings import Settings, part_metadata
from elmo_beam.transforms.outputs.formats import OutputFormat
from elmo_beam.transforms.outputs.schema import part_schema

ROW_GROUP_BYTES = 64 << 20


def write_parquet(table: pa.Table, settings: Settings, path: str) -> None:
    """One Parquet file. Floats are not dictionary-encoded, which would halve the rate."""
    with open(path, "wb") as sink, parquet_writer(sink, table.schema, settings) as writer:
        if table.num_rows:  # some readers fail on a row group without rows
            per_row = max(1, table.nbytes // table.num_rows)
            writer.write_table(table, row_group_size=max(1, ROW_GROUP_BYTES // per_row))


def parquet_writer(sink: object, schema: pa.Schema, settings: Settings) -> pq.ParquetWriter:
    """A writer with the encodings that suit the columns; its file says what made it."""
    schema = schema.with_metadata({**(schema.metadata or {}), **part_metadata(settings)})
    leaves = {_leaf(field): _innermost(field.type) for field in schema}
    vectors = [leaf for leaf, kind in leaves.items() if pa.types.is_floating(kind)]
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        use_dictionary=[leaf for leaf in leaves if leaf not in vectors],
        column_encoding=dict.fromkeys(vectors, "BYTE_STREAM_SPLIT") if _splits(settings) else None,
        write_page_checksum=True,
    )


def _splits(settings: Settings) -> bool:
    """Whether vectors are BYTE_STREAM_SPLIT, which DuckDB cannot read of float16."""
    return settings.dtype == "float32" and settings.parquet_encoding == "byte_stream_split"


def _leaf(field: pa.Field) -> str:
    """The path of a column's values in a Parquet file."""
    path, kind = field.name, field.type
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return str(path)


def _innermost(kind: pa.DataType) -> pa.DataType:
    while pa.types.is_nested(kind):
        kind = kind.value_type
    return kind


def read_parquet(path: str, settings: Settings, columns: Sequence[str] | None) -> pa.Table:
    """A part's rows, every page checked against its checksum."""
    names = None if columns is None else list(columns)
    return pq.read_table(path, columns=names, page_checksum_verification=True, partitioning=None)


FORMAT = OutputFormat(
    write=write_parquet,
    read=read_parquet,
    columns=lambda settings: part_schema(settings).names,
    dtypes=("float32", "float16"),
    packing=lambda settings: 0.86 if _splits(settings) else 0.95,
    pads=False,
)
