"""Kept fields as features of a TFRecord: a feature each, and none for null.

Integers, truth values, dates, times and durations are Int64List: the number that Arrow stores.
Floats are FloatList, strings and bytes BytesList, and so are decimals and lists as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from elmo_beam.transforms.inputs.lines import bytes_of, text_or_hex


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type to which Arrow casts a plain type, and back, that Python has values of."""
    t = pa.types
    if t.is_list(kind):
        return pa.list_(stored_type(kind.value_type))
    if t.is_temporal(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    if t.is_decimal(kind):
        return pa.string()
    return pa.float32() if t.is_float16(kind) else kind


def to_features(column: pa.Array) -> list[Any]:
    """A tf.train.Feature for each value of a column, None for null."""
    from elmo_beam.elmo.backend import tf

    train, kind = tf.train, column.type
    values = column.cast(stored_type(kind)).to_pylist()
    if pa.types.is_list(kind):
        values = [v if v is None else json.dumps(v, default=text_or_hex) for v in values]

    def feature(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, int):
            signed = value - (1 << 64) if value >> 63 == 1 else value
            return train.Feature(int64_list=train.Int64List(value=[signed]))
        if isinstance(value, float):
            return train.Feature(float_list=train.FloatList(value=[value]))
        data = value.encode() if isinstance(value, str) else value
        return train.Feature(bytes_list=train.BytesList(value=[data]))

    return [feature(value) for value in values]


def feature_dtype(kind: pa.DataType) -> Any:
    """The tf.DType of a field's feature: int64, float32 or string."""
    from elmo_beam.elmo.backend import tf

    stored = stored_type(kind)
    if pa.types.is_boolean(stored) or pa.types.is_integer(stored):
        return tf.int64
    return tf.float32 if pa.types.is_floating(stored) else tf.string


def from_features(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The column of which `to_features` made features; values: theirs, None for null."""
    stored = stored_type(kind)
    if pa.types.is_list(kind):
        values = [v if v is None else _with_bytes(json.loads(v), stored) for v in values]
    elif pa.types.is_string(stored):
        values = [v if v is None else v.decode() for v in values]
    elif pa.types.is_boolean(kind):
        values = [v if v is None else bool(v) for v in values]
    elif kind == pa.uint64():
        values = [v if v is None else int(v) % (1 << 64) for v in values]
    return pa.array(values, stored).cast(kind)


def _with_bytes(value: Any, kind: pa.DataType) -> Any:
    """A value of JSON with bytes again where they are text there."""
    if isinstance(value, list):
        return [_with_bytes(item, kind.value_type) for item in value]
    return bytes_of(value) if pa.types.is_binary(kind) and value is not None else value
