"""A column of ids, of any Arrow type, as strings."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elmo_beam.transforms.inputs.fields import LISTS, zone_named
from elmo_beam.transforms.inputs.lines import Number, Rejected, identity_of, text_or_hex

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 24 * 60 * 60  # seconds
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Identity = str | None | Rejected


def identities(column: pa.ChunkedArray) -> list[Identity]:
    """Each value as a string, None for null, Rejected for one that has no string of its own.

    Dates and times are in ISO, with as many digits as they need, and spans of time as Python writes
    them, whatever their unit; bytes as in `text_or_hex`; all else as JSON. It is the same inside
    lists, maps (lists of pairs) and structs (objects).
    """
    try:
        return [_identity(value) for chunk in column.chunks for value in python_values(chunk)]
    except RecursionError:  # lists in lists deeper than Python can follow
        return [Rejected("bad_id")] * len(column)


def _identity(value: Any) -> Identity:
    try:
        return value if isinstance(value, Rejected) else identity_of(value)
    except Rejected as rejection:
        return rejection


def python_values(values: pa.Array) -> list[Any]:
    """Each value as `as_json` takes it."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return python_values(values.dictionary.take(values.indices))
    if pa.types.is_run_end_encoded(kind):
        return python_values(pc.run_end_decode(values))
    if isinstance(values, pa.ExtensionArray) and pa.types.is_nested(values.storage.type):
        return python_values(values.storage)
    if pa.types.is_struct(kind):
        return _objects(values)
    if pa.types.is_map(kind):
        return [None if each.values is None else _pairs(each.values) for each in values]
    if any(is_list(kind) for is_list in LISTS):
        return [None if each.values is None else python_values(each.values) for each in values]
    if pa.types.is_date(kind):
        days = values.cast(pa.date32()).cast(pa.int32())
        return [None if day is None else _moment(day * DAY)[:-9] for day in days.to_pylist()]
    if pa.types.is_timestamp(kind):
        zone = _zone(kind.tz)
        return [_timestamp(*part, zone) if part else None for part in _split(values)]
    if pa.types.is_time(kind):
        return [_time(*part) if part else None for part in _split(values)]
    if pa.types.is_duration(kind):
        return [_duration(*part) if part else None for part in _split(values)]
    return [_value(value) for value in values]


def _pairs(entries: pa.StructArray) -> list[Any]:
    """A map's entries, each a list of its key and its value."""
    return list(map(list, zip(*map(python_values, entries.flatten()), strict=True)))


def _objects(values: pa.StructArray) -> list[Any]:
    """Structs as objects; no object has two fields of one name."""
    names = [field.name for field in values.type]
    if len(set(names)) < len(names):
        return [Rejected("bad_id") if valid else None for valid in values.is_valid().to_pylist()]
    columns = map(python_values, values.flatten())
    rows = zip(*columns, strict=True) if names else [()] * len(values)
    return [
        dict(zip(names, row, strict=True)) if valid else None
        for row, valid in zip(rows, values.is_valid().to_pylist(), strict=True)
    ]


def _value(scalar: pa.Scalar) -> Any:
    try:
        value = scalar.as_py()
    except Exception:  # text that is not UTF-8, …
        return Rejected("bad_id")
    if isinstance(value, bytes):
        return text_or_hex(value)
    if isinstance(value, Decimal):
        return Number(str(value))
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _split(values: pa.Array) -> list[tuple[int, str] | None]:
    """Whole seconds, and the digits of what is left, as in ".000001": six, or nine, or none.

    Python's own types end at microseconds, and at the year 9999.
    """
    per_second = PER_SECOND[values.type.unit]
    width = pa.int32() if values.type.bit_width == 32 else pa.int64()
    parts: list[tuple[int, str] | None] = []
    for value in values.view(width).to_pylist():
        if value is None:
            parts.append(None)
            continue
        seconds, rest = divmod(value, per_second)
        digits = f".{rest * (10**9 // per_second):09d}"
        parts.append((seconds, digits.removesuffix("000") if rest else ""))
    return parts


def _moment(seconds: int) -> str:
    """Seconds since 1970 as YYYY-MM-DD HH:MM:SS, also beyond the year 9999."""
    return str(np.datetime64(seconds, "s")).replace("T", " ")


def _timestamp(seconds: int, digits: str, zone: tzinfo | None) -> Identity:
    if seconds == np.iinfo(np.int64).min:  # NumPy's "not a time"
        return Rejected("bad_id")
    if zone is None:
        return _moment(seconds) + digits
    try:
        local = str((EPOCH + timedelta(seconds=seconds)).astimezone(zone))
    except OverflowError:  # where Python's calendar ends, in UTC
        return f"{_moment(seconds)}{digits}+00:00"
    return local[:19] + digits + local[19:]


def _zone(name: str | None) -> tzinfo | None:
    """Arrow's time zone as Python's; UTC for one that this machine does not know."""
    if name is None:
        return None
    try:
        return zone_named(name)
    except ValueError:
        return timezone.utc


def _time(seconds: int, digits: str) -> Identity:
    if not 0 <= seconds < DAY:
        return Rejected("bad_id")
    return _moment(seconds)[-8:] + digits


def _duration(seconds: int, digits: str) -> str:
    days, seconds = divmod(seconds, DAY)
    time = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{digits}"
    return f"{days} day{'' if abs(days) == 1 else 's'}, {time}" if days else time
