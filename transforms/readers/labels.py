"""The labels of a run's rows: a mapping from keys, or the name of a kept field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.errors import ArgumentError, UserError, cause_of
from elmo_beam.elmo.wording import listed
from elmo_beam.transforms.inputs.fields import type_text

Labels = Mapping[Any, Any] | str


def check_labels_argument(labels: object, fields: pa.Schema) -> None:
    """ArgumentError for what is neither a mapping nor one of the kept fields."""
    if isinstance(labels, str):
        if labels not in fields.names:
            has = f"has {listed(fields.names)}" if fields.names else "has none"
            raise ArgumentError(f"`labels` {labels!r} is not a kept field: this run {has}")
    elif not isinstance(labels, Mapping):
        raise ArgumentError("`labels` must map each row's key to its label, or name a kept field")
    elif not labels:
        raise UserError("labels is empty: it must have every row's key")


def label_columns(columns: list[str], labels: Labels) -> list[str]:
    """The columns of a run that has these, in which its rows' labels are found."""
    if isinstance(labels, str):
        return ["shard", _place(columns), labels]
    return ["id"] if "id" in columns else ["shard", _place(columns)]


def _place(columns: list[str]) -> str:
    return "line" if "line" in columns else "offset"


def labels_of(table: pa.Table, labels: Labels) -> list[Any]:
    """A label for each row of a table that has the `label_columns`; UserError if one has none."""
    columns = [table[name].to_pylist() for name in label_columns(table.column_names, labels)]
    if isinstance(labels, str):
        *place, found = columns
        if None in found:
            shard, line = (column[found.index(None)] for column in place)
            at = f"{_place(table.column_names)} {line}"
            raise UserError(f"no label for {at} of {shard}: its {labels!r} is null")
        return found
    keys = zip(*columns, strict=True) if len(columns) > 1 else columns[0]
    return [_label(labels, key) for key in keys]


def _label(labels: Mapping[Any, Any], key: Any) -> Any:
    try:
        return labels[key]
    except KeyError:
        raise UserError(f"no label for {key!r}: labels must have every row's key") from None


def check_field_is_label(name: str, kind: pa.DataType) -> None:
    """ArgumentError for a kept field that is neither a number, a truth value nor a string."""
    t = pa.types
    if not any(
        is_such(kind) for is_such in (t.is_integer, t.is_floating, t.is_boolean, t.is_string)
    ):
        raise ArgumentError(
            f"`labels` {name!r} is {type_text(kind)}, not a number, bool or string: map keys to "
            "labels instead"
        )


def label_spec(labels: Labels, fields: pa.Schema) -> Any:
    """The tf.TensorSpec of a label; ArgumentError if TensorFlow has none."""
    from elmo_beam.elmo.backend import tf

    if isinstance(labels, str):
        kind = fields.field(labels).type
        numeric = not pa.types.is_string(kind)
        return tf.TensorSpec([], tf.as_dtype(kind.to_pandas_dtype()) if numeric else tf.string)
    try:
        every = np.asarray(list(labels.values()))
    except ValueError as error:
        raise ArgumentError(f"`labels` must be of one shape ({cause_of(error)})") from None
    if every.dtype.kind not in "biufSU":
        raise ArgumentError("`labels` must be numbers or strings, or arrays of them")
    return tf.TensorSpec(every.shape[1:], tf.as_dtype(every.dtype))
