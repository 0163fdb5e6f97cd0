"""Columns of a Parquet file as Arrow decodes them: the text, and the kept ones."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from elmo_beam.transforms.inputs.lines import HEAD, LIMIT_LINE


def column_at(schema: pa.Schema | pa.StructType, name: str) -> list[str] | None:
    """Where a column is: its name, or of `a.b`, which is no column's name, those of a and b."""
    if schema.get_field_index(name) >= 0:
        return [name]
    outer, _, inner = name.partition(".")
    at = schema.get_field_index(outer) if inner else -1
    if at < 0 or not pa.types.is_struct(schema.field(at).type):
        return None
    found = column_at(schema.field(at).type, inner)
    return None if found is None else [outer, *found]


def kept_column(rows: pa.RecordBatch, field: pa.Field) -> pa.Array:
    """A kept column, in its run's type; null where what it lies in is null."""
    outer, *inner = column_at(rows.schema, field.name) or [field.name]
    column = rows.column(outer)
    if inner:
        column = pc.struct_field(column, inner)
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column.cast(field.type)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column may be the text; of bytes, those must be UTF-8."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_null(kind)
    )


def size_of(column: pa.Array) -> int:
    """Bytes of a column; of one with a dictionary, which is held in any case, those of its rows."""
    return int(column.indices.nbytes if pa.types.is_dictionary(column.type) else column.nbytes)


def text_lengths(column: pa.Array) -> pa.Array:
    """Bytes of each text (int64), 0 for null."""
    if pa.types.is_dictionary(column.type):
        return text_lengths(column.dictionary).take(column.indices).fill_null(0)
    return pc.binary_length(column.cast(pa.large_binary())).fill_null(0)


def text_heads(column: pa.Array) -> pa.Array:
    """The texts (large_binary), of those over 1 MiB only the head."""
    if pa.types.is_dictionary(column.type):
        return text_heads(column.dictionary).take(column.indices)
    raw = column.cast(pa.large_binary())
    long = pc.greater(text_lengths(column), LIMIT_LINE)
    return pc.if_else(long, pc.binary_slice(raw, 0, HEAD), raw) if pc.any(long).as_py() else raw
