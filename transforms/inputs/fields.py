"""The fields of the input that a run keeps as columns: their names and types.

An entry of the setting `keep_fields` is NAME or NAME:TYPE. TYPE is written as Arrow prints it, but
for float16, float32, float64 and list<TYPE>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import lru_cache

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.arguments import name_list
from elmo_beam.elmo.errors import ArgumentError

ENTRY = re.compile(r"(.*?)\s*:\s*([a-z]\w*(?:\s*[\[(<].*[\])>])?)", re.DOTALL)
LIST = re.compile(r"list<(?:\w+: ?)?(.+)>")
TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns), ?tz=(.+)\]")
DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), ?(-?\d+)\)")
LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
FLOATS = {pa.float16(): "float16", pa.float32(): "float32", pa.float64(): "float64"}

# The columns of parts and rejects, of whatever kind of run.
OURS = re.compile(
    "shard|line|offset|sentence|id|text|tokens|num_tokens|truncated|position|token|word|left|right|"
    r"count|reason|length|raw|word_emb|lstm_outputs\d+|elmo|default"
)


def checked_fields(value: object) -> tuple[str, ...]:
    """Entries of `keep_fields`, of which one may be given alone; ArgumentError if one is wrong."""
    entries = tuple(entry.strip() for entry in name_list("keep_fields", value))
    names = [parsed_field(entry)[0] for entry in entries]
    for name in names:
        if OURS.fullmatch(name):
            raise ArgumentError(
                f"`keep_fields` {name} has the name of a column that runs have: give the field "
                "another name in the input"
            )
        if names.count(name) > 1:
            raise ArgumentError(f"`keep_fields` names {name} twice: name it once")
    return entries


def parsed_field(entry: str) -> tuple[str, pa.DataType | None]:
    """An entry's name and type, None if it has none; ArgumentError if it is wrong."""
    match = ENTRY.fullmatch(entry)
    name, kind = match.groups() if match else (entry, "" if ":" in entry else None)
    if _is_type(name.rpartition(":")[2].strip()) and ":" in name:
        raise ArgumentError(f"`keep_fields` {entry} has two types: write NAME or NAME:TYPE")
    if not name.strip() or not name.isprintable():
        raise ArgumentError(f"`keep_fields` {entry!r} has no name: write NAME or NAME:TYPE")
    try:
        return name, None if kind is None else type_named(kind)
    except (ValueError, RecursionError):
        raise ArgumentError(
            f"`keep_fields` {entry} has no type {kind}: use string, bool, int8 to int64, uint8 to "
            "uint64, float32, float64, timestamp[us], date32 or the like, or list<TYPE>"
        ) from None


def _is_type(text: str) -> bool:
    try:
        return bool(type_named(text))
    except ValueError:
        return False


@lru_cache(maxsize=8)  # asked for with every block
def kept_fields(entries: Sequence[str]) -> pa.Schema:
    """The columns that entries of `keep_fields` name; one without a type is a string."""
    named = [parsed_field(entry) for entry in entries]
    return pa.schema([(name, pa.string() if kind is None else kind) for name, kind in named])


def type_named(text: str) -> pa.DataType:
    """The type that `type_text` wrote, or Arrow prints, as `plain_type`; ValueError if none."""
    if found := LIST.fullmatch(text):
        return pa.list_(type_named(found[1]))
    if found := TIMESTAMP.fullmatch(text):
        return plain_type(pa.timestamp(found[1], found[2]))
    if found := DECIMAL.fullmatch(text):
        width, precision, scale = found.groups()
        make: Callable[[int, int], pa.DataType] = getattr(pa, f"decimal{width}")
        return make(int(precision), int(scale))
    return plain_type(pa.type_for_alias(text))


def type_text(kind: pa.DataType) -> str:
    """A plain type as the setting has it."""
    if pa.types.is_list(kind):
        return f"list<{type_text(kind.value_type)}>"
    return FLOATS.get(kind, str(kind))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a column is kept; ValueError for a struct, a map and the like.

    It depends on neither how the values are encoded nor how long they may be, and Parquet can hold
    it: that has no seconds, and dates in days only.
    """
    t = pa.types
    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if any(is_list(kind) for is_list in LISTS):
        return pa.list_(plain_type(kind.value_type))
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind) or t.is_fixed_size_binary(kind):
        return pa.binary()
    if t.is_date(kind):
        return pa.date32()
    if t.is_timestamp(kind) and kind.tz is not None:
        zone_named(kind.tz)  # whoever reads the column would find that there is none
    if t.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    if kind == pa.time32("s"):
        return pa.time32("ms")
    if t.is_interval(kind) or t.is_null(kind) or t.is_nested(kind) or t.is_union(kind):
        raise ValueError(f"{kind} is no type of a kept field")
    return kind


def zone_named(name: str) -> tzinfo:
    """Arrow's time zone as Python's; ValueError for one that this machine does not know."""
    try:
        zone: tzinfo = pa.scalar(0, pa.timestamp("s", name)).as_py().tzinfo
    except Exception as error:  # each library of time zones raises its own
        raise ValueError(f"no time zone {name}") from error
    return zone


def holds(kept: pa.DataType, kind: pa.DataType) -> bool:
    """Whether a column kept as one plain type can have every value of another."""
    t = pa.types
    if t.is_list(kept) and t.is_list(kind):
        return holds(kept.value_type, kind.value_type)
    for is_such in (t.is_integer, t.is_floating):
        if is_such(kept) and is_such(kind):
            return bool(np.can_cast(kind.to_pandas_dtype(), kept.to_pandas_dtype()))
    return bool(kept == kind)
