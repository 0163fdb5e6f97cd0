"""Types of kept fields and columns of them, for Hypothesis."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

INTEGERS = [getattr(pa, f"{u}int{bits}")() for u in ("", "u") for bits in (8, 16, 32, 64)]
PLAIN_TYPES = [
    pa.string(), pa.binary(), pa.bool_(), *INTEGERS, pa.float16(), pa.float32(), pa.float64(),
    pa.date32(), pa.time32("ms"), pa.time64("us"), pa.time64("ns"),
    *(pa.timestamp(unit) for unit in ("ms", "us", "ns")),
    pa.timestamp("us", "UTC"), pa.timestamp("ns", "Europe/Berlin"), pa.timestamp("ms", "+01:00"),
    pa.decimal128(10, 2), pa.decimal256(50, 5),
]  # fmt: skip
DURATIONS = [pa.duration(unit) for unit in ("s", "ms", "us", "ns")]
NOON = 12 * 60 * 60 * 1000


def plain_types() -> st.SearchStrategy[pa.DataType]:
    """All, and lists of them."""
    return st.recursive(st.sampled_from(PLAIN_TYPES + DURATIONS), lambda kind: kind.map(pa.list_))


@st.composite
def columns(draw: st.DrawFn, durations: bool = False) -> pa.Array:
    """A column of any plain type, with nulls, and lists of lists at the most."""
    kind = draw(st.sampled_from(PLAIN_TYPES + DURATIONS * durations))
    levels = draw(st.integers(0, 2))
    values = st.none() | _values(kind)
    for _ in range(levels):
        kind, values = pa.list_(kind), st.none() | st.lists(values, max_size=3)
    return pa.array(draw(st.lists(values, max_size=4)), kind)


def _values(kind: pa.DataType) -> st.SearchStrategy[object]:
    t = pa.types
    if t.is_string(kind):
        return st.text()
    if t.is_binary(kind):
        return st.binary()
    if t.is_boolean(kind):
        return st.booleans()
    if t.is_integer(kind):
        low = -(1 << (kind.bit_width - 1)) if t.is_signed_integer(kind) else 0
        return st.integers(low, low + (1 << kind.bit_width) - 1)
    if t.is_floating(kind):
        return st.floats(width=kind.bit_width)
    if t.is_decimal(kind):
        return st.integers(-99999999, 99999999).map(lambda n: Decimal(n) / 100)
    if t.is_date(kind):
        return st.dates(dt.date(1000, 1, 1))
    if t.is_duration(kind):
        return st.integers(-(10**9), 10**9).map(lambda n: pa.scalar(n).cast(kind))
    if t.is_time(kind):
        return st.integers(0, NOON).map(
            lambda n: pa.scalar(n, pa.int32()).cast(pa.time32("ms")).cast(kind)
        )
    return st.integers(-(10**12), 10**12).map(
        lambda n: (
            pa.scalar(n).cast(pa.timestamp("ms")).cast(pa.timestamp(kind.unit)).cast(kind)
            if kind.tz is None
            else pa.scalar(n).cast(pa.timestamp("ms", kind.tz)).cast(kind)
        )
    )
