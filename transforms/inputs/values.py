"""Values of kept fields, as the input has them, to those that Arrow makes a column of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.inputs.ids import python_values
from elmo_beam.transforms.inputs.lines import Number, Rejected, as_json, bytes_of, identity_of

BOOLS = {"true": True, "false": False, "1": True, "0": False}
ZEROS = re.compile(r"\.(\d*?)0+(?!\d)")  # at the end of a fraction of a second
MIDNIGHT = "1970-01-01 "


def nested(document: Mapping[str, Any], name: str) -> Any:
    """The value of a field of this name, or of `b` in `a` for `a.b`; None if there is none."""
    if name in document:
        return document[name]
    outer, _, inner = name.partition(".")
    found = document.get(outer)
    return nested(found, inner) if inner and isinstance(found, dict) else None


def converted(value: Any, kind: pa.DataType) -> Any:
    """A value of JSON, of a table of text or the like, as `pa.array` takes it for a plain type.

    Strings and bytes take any value, as an id does. Other types take text too, of which empty text
    is null. Raises ValueError for a value that the type does not have.
    """
    if value is None:
        return None
    if pa.types.is_string(kind):
        return _text(value)
    if pa.types.is_binary(kind):
        return bytes_of(_text(value))
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
    if pa.types.is_list(kind):
        items = json.loads(value, parse_int=Number) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ValueError("not a list")
        return [converted(item, kind.value_type) for item in items]
    if pa.types.is_boolean(kind):
        return value if isinstance(value, bool) else _bool(_text(value))
    if isinstance(value, bool):
        raise ValueError("a truth value")
    if pa.types.is_integer(kind):
        return _integer(_text(value), kind)
    if pa.types.is_floating(kind):
        return _float(_text(value), kind)
    if pa.types.is_duration(kind):  # a number of units
        return _integer(_text(value), pa.int64())
    return _cast(_text(value), kind)


def _text(value: Any) -> str:
    try:
        text = identity_of(value)
    except Rejected as rejection:
        raise ValueError(rejection.reason) from None
    assert text is not None
    return text


def _bool(text: str) -> bool:
    if text.lower() not in BOOLS:
        raise ValueError("neither true nor false")
    return BOOLS[text.lower()]


def _integer(text: str, kind: pa.DataType) -> int:
    if not text.removeprefix("-").removeprefix("+").isdecimal():
        raise ValueError("not an integer")
    number, (least, most) = int(text), _limits(kind)
    if not least <= number <= most:
        raise ValueError("out of range")
    return number


def _float(text: str, kind: pa.DataType) -> float:
    if "_" in text:  # which Python would pass over
        raise ValueError("not a number")
    number = float(text)
    if abs(number) > _limits(kind)[1] and "inf" not in text.lower():
        raise ValueError("out of range")
    return number


@cache
def _limits(kind: pa.DataType) -> tuple[float, float]:
    """The least and the greatest number of a type."""
    dtype = kind.to_pandas_dtype()
    if pa.types.is_integer(kind):
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


@lru_cache(maxsize=1 << 12)  # a cast takes as long as a line, and dates recur
def _cast(text: str, kind: pa.DataType) -> pa.Scalar:
    """Dates, times, decimals and what else Arrow makes of text."""
    try:
        if pa.types.is_temporal(kind):  # Arrow takes no more digits than a type has
            text = ZEROS.sub(lambda m: f".{m[1]}" if m[1] else "", text)
        if pa.types.is_time(kind):  # of which Arrow makes only moments
            moment = pa.scalar(MIDNIGHT + text).cast(pa.timestamp(kind.unit))
            return moment.cast(kind)
        return pa.scalar(text).cast(kind)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None


def json_value(value: Any) -> Any:
    """A value as the JSON of a reject has it; None for one that cannot be read."""
    try:
        return json.loads(as_json(value), parse_int=_shown_integer, parse_constant=str)
    except (Rejected, RecursionError):
        return None


def json_values(column: pa.ChunkedArray, row: int) -> Any:
    """The value in one row of a column, as `json_value`."""
    values = column.slice(row, 1).combine_chunks()
    return json_value(python_values(values)[0])


def _shown_integer(digits: str) -> int | str:
    """An integer, or the digits of one of which Python refuses to make a number."""
    try:
        return int(digits)
    except ValueError:
        return digits


def unreadable(column: pa.ChunkedArray) -> set[int]:
    """The rows of a column whose text is not UTF-8, which no part could hold."""
    kind = column.type
    if not pa.types.is_string(_innermost(kind)):
        return set()
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return {i for i, value in enumerate(column) if not _is_readable(value)}
    return set()


def _innermost(kind: pa.DataType) -> pa.DataType:
    while pa.types.is_list(kind):
        kind = kind.value_type
    return kind


def _is_readable(value: pa.Scalar) -> bool:
    try:
        value.as_py()
    except UnicodeDecodeError:
        return False
    return True
