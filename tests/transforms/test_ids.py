"""Ids of every Arrow type as strings: as they always were, and none that stops a job."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.ids import identities
from elmo_beam.transforms.inputs.lines import Rejected, identity_of
from tests.helpers.blocks import make_settings, normalized, raw_block, read_shard, rows_of

BAD = "rejected as bad_id"
UNITS = ["s", "ms", "us", "ns"]
ZONES = [None, "UTC", "+01:00", "-09:30", "Europe/Paris", "Asia/Kathmandu"]
INT64 = st.integers(-(1 << 63) + 1, (1 << 63) - 1)
DATETIMES = st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1))  # what nanoseconds can hold


def shown(values: pa.Array) -> list[str | None]:
    """An id column's strings."""
    found = identities(pa.chunked_array([values]))
    return [BAD if isinstance(identity, Rejected) else identity for identity in found]


def integers(values: list[int], kind: pa.DataType) -> pa.Array:
    """An array of a type that Arrow keeps as integers."""
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, width).view(kind)


ORDINARY = [
    (pa.array([None, None]), [None, None]),
    (pa.array([True, False, None]), ["true", "false", None]),
    *((pa.array([0, 100, None], pa.type_for_alias(kind)), ["0", "100", None])
      for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")),
    (pa.array([(1 << 64) - 1], pa.uint64()), ["18446744073709551615"]),
    (pa.array([1.5, 2.0, float("nan"), float("-inf")], pa.float16()),
     ["1.5", "2.0", "NaN", "-Infinity"]),
    (pa.array([0.1, 2.0, float("nan")], pa.float32()), ["0.10000000149011612", "2.0", "NaN"]),
    (pa.array([0.1, 1e22, float("inf"), None]), ["0.1", "1e+22", "Infinity", None]),
    *((pa.array([Decimal("1.50"), Decimal("-0.01"), None], kind(5, 2)), ["1.50", "-0.01", None])
      for kind in (pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256)),
    *((pa.array(["x", "", None, "é"], kind), ["x", "", None, "é"])
      for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((pa.array([b"x", None, b"\xff\x00", b"\\x"], kind), ["x", None, "\\xff00", "\\x5c78"])
      for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.array([b"ab\xff", b"ab\xfe", b"abc"], pa.binary(3)), ["\\x6162ff", "\\x6162fe", "abc"]),
    (pa.array([UUID(int=1).bytes], pa.uuid()), ["00000000-0000-0000-0000-000000000001"]),
    (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
    (pa.array([b"\xff", None]).dictionary_encode(), ["\\xff", None]),
    (pa.array([3, None, 3]).dictionary_encode(), ["3", None, "3"]),
    (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["x", None])), ["x", None]),
    (pa.RunEndEncodedArray.from_arrays([2, 3], ["x", None]), ["x", "x", None]),
    (pa.array([["p", 'q"'], [], None]), ['["p", "q\\""]', "[]", None]),
    (pa.array([{"a": 1, "b": None}]), ['{"a": 1, "b": null}']),
    (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), ['[["k", 1]]']),
    (pa.array([[date(2020, 1, 1)]]), ['["2020-01-01"]']),
    (pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
     ["MonthDayNano(months=1, days=2, nanoseconds=3)"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"), ORDINARY, ids=lambda v: str(getattr(v, "type", ""))
)
def test_every_type_has_its_string(values: pa.Array, expected: list[str | None]) -> None:
    assert shown(values) == expected
    assert shown(pa.concat_arrays([values, values]).slice(len(values))) == expected
    assert shown(values.slice(0, 0)) == []


@given(st.lists(st.none() | st.dates(), max_size=3))
def test_dates_are_in_iso(dates: list[date | None]) -> None:
    expected = [str(day) if day else None for day in dates]
    assert shown(pa.array(dates, pa.date32())) == expected
    assert shown(pa.array(dates, pa.date64())) == expected


@given(st.lists(st.none() | DATETIMES, max_size=3), st.sampled_from(UNITS), st.sampled_from(ZONES))
def test_times_stamped_are_as_python_writes_them(
    times: list[datetime | None], unit: str, zone: str | None
) -> None:
    kind, finest = pa.timestamp(unit, zone), pa.timestamp("us", zone)
    values = pa.array(times, pa.timestamp("us")).cast(finest).cast(kind, safe=False)
    known = values.cast(finest, safe=False).to_pylist()
    assert shown(values) == [None if moment is None else str(moment) for moment in known]


@given(st.lists(st.none() | st.times(), max_size=3))
def test_times_of_day_are_as_python_writes_them(times: list[time | None]) -> None:
    expected = [None if moment is None else str(moment) for moment in times]
    for unit in ("us", "ns"):
        assert shown(pa.array(times, pa.time64(unit))) == expected
    for unit in ("s", "ms"):
        values = pa.array(times, pa.time32(unit))
        assert shown(values) == [None if t is None else str(t) for t in values.to_pylist()]


@given(st.lists(st.none() | st.timedeltas(timedelta(-100_000), timedelta(100_000)), max_size=3))
def test_spans_of_time_are_as_python_writes_them(spans: list[timedelta | None]) -> None:
    for unit in UNITS:
        values = pa.array(spans, pa.duration("us")).cast(pa.duration(unit), safe=False)
        known = values.cast(pa.duration("us")).to_pylist()
        assert shown(values) == [None if span is None else str(span) for span in known]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.timestamp("ns"), [1, -1], ["1970-01-01 00:00:00.000000001",
                                      "1969-12-31 23:59:59.999999999"]),
        (pa.timestamp("ns", "+01:00"), [(1 << 63) - 1], ["2262-04-12 00:47:16.854775807+01:00"]),
        (pa.time64("ns"), [1], ["00:00:00.000000001"]),
        (pa.duration("ns"), [1, -1], ["0:00:00.000000001", "-1 day, 23:59:59.999999999"]),
        (pa.date32(), [(1 << 31) - 1, -(1 << 31)], ["5881580-07-11", "-5877641-06-23"]),
        (pa.timestamp("s"), [253402300800], ["10000-01-01 00:00:00"]),
        (pa.timestamp("us", "+01:00"), [253402300799_000001], ["9999-12-31 23:59:59.000001+00:00"]),
        (pa.timestamp("ms"), [(1 << 63) - 1], ["292278994-08-17 07:12:55.807000"]),
        (pa.timestamp("s"), [-(1 << 63)], [BAD]),
        (pa.timestamp("s", "Mars/Olympus"), [0, 60], ["1970-01-01 00:00:00+00:00",
                                                     "1970-01-01 00:01:00+00:00"]),
        (pa.time32("s"), [86400, -1, 86399], [BAD, BAD, "23:59:59"]),
        (pa.duration("s"), [86400 * (10**9)], ["1000000000 days, 0:00:00"]),
    ],
    ids=str,
)  # fmt: skip
def test_what_python_cannot_hold_has_a_string_too(
    kind: pa.DataType, values: list[int], expected: list[str]
) -> None:
    assert shown(integers(values, kind)) == expected


KINDS = [
    *(pa.timestamp(unit, zone) for unit in UNITS for zone in (None, "UTC", "Mars/Olympus")),
    *(pa.duration(unit) for unit in UNITS),
]


@given(st.lists(INT64, unique=True, min_size=2, max_size=4), st.sampled_from(KINDS))
@example([(1 << 63) - 1, -(1 << 63) + 1, 0], pa.timestamp("s", "UTC"))
def test_different_times_have_different_strings(values: list[int], kind: pa.DataType) -> None:
    found = shown(integers(values, kind))
    assert BAD not in found
    assert len(set(found)) == len(values)


@given(st.lists(st.binary(max_size=4) | st.just(b"\\xff"), unique=True))
@example([b"\xff", b"\\xff", b"ff", b"\xfe", "\ufffd".encode()])
def test_different_bytes_have_different_strings(values: list[bytes]) -> None:
    found = shown(pa.array(values, pa.binary()))
    assert BAD not in found
    assert len(set(found)) == len(values)


def invalid_text(kind: pa.DataType) -> pa.Array:
    """Two strings that are UTF-8, around one that is not."""
    return pa.array([b"x", b"\xff", b"z"], pa.large_binary()).cast(pa.binary()).view(kind)


BAD_SECOND = {
    "string": invalid_text(pa.string()),
    "list": pa.ListArray.from_arrays([0, 1, 2, 3], invalid_text(pa.string())),
    "time": integers([1, 86400, 3], pa.time32("s")),
    "dates": pa.ListArray.from_arrays([0, 1, 2, 3], integers([1, 1 << 30, 3], pa.date32())),
}


@pytest.mark.parametrize("name", BAD_SECOND)
def test_an_id_without_a_string_costs_its_line_and_no_other(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": ["one", "two", "three"], "key": BAD_SECOND[name]})
    pq.write_table(table, tmp_path / "a.parquet")
    run = make_settings(id_field="key")
    [block] = [normalized(b, run) for b in read_shard(str(tmp_path / "a.parquet"), run)[1]]
    assert [row["line"] for row in rows_of(block)] == [0, 2]
    assert (block.embedded, block.blank, block.rejected) == (2, 0, {"bad_id": 1})
    [reject] = block.rejects
    assert (reject["line"], reject["id"], reject["length"]) == (1, None, 3)


def test_a_dictionary_with_an_id_that_is_not_utf8_costs_the_lines_of_that_id() -> None:
    ids = pa.DictionaryArray.from_arrays([0, 1, 2, 1], invalid_text(pa.string()))
    assert shown(ids) == ["x", BAD, "z", BAD]


def test_parquet_keeps_ids_of_every_type(tmp_path: Path) -> None:
    run = make_settings(id_field="key")
    unwritten = 0
    for values, expected in ORDINARY:
        table = pa.table({"text": ["word"] * len(values), "key": values})
        try:
            pq.write_table(table, tmp_path / "a.parquet")
        except pa.ArrowNotImplementedError:
            unwritten += 1
            continue
        [block] = [normalized(b, run) for b in read_shard(str(tmp_path / "a.parquet"), run)[1]]
        assert [row["id"] for row in rows_of(block)] == expected, values.type
    assert unwritten <= 4


def json_ids(*ids: str) -> tuple[list[Any], dict[str, int]]:
    """The ids of lines of JSON that are embedded, and what is rejected."""
    lines = [b'{"text": "word", "key": %s}' % key.encode() for key in ids]
    block = normalized(raw_block(lines, shard="/in/a.jsonl"), make_settings(id_field="key"))
    assert block.embedded + block.blank + len(block.rejects) == len(ids)
    json.dumps(block.rejects)
    return [row["id"] for row in rows_of(block)], block.rejected


def test_ids_of_json_are_as_json_writes_them() -> None:
    ids = ['"k"', "null", "17", "1.0", "true", '{"a": [1, null]}', "1" * 4000, "-0.0", "1e400"]
    found = ["k", None, "17", "1.0", "true", '{"a": [1, null]}', "1" * 4000, "-0.0", "Infinity"]
    assert json_ids(*ids) == (found, {})


def test_halves_of_surrogate_pairs_in_ids_are_told_apart() -> None:
    ids = ['"\\ud800"', '"\\ud801x"', '["\\udfff"]', '{"\\ud800": "\\udc00"}', '"\\ud83d\\ude00"']
    found = [r"\ud800", r"\ud801x", r'["\udfff"]', r'{"\ud800": "\udc00"}', "\U0001f600"]
    assert json_ids(*ids) == (found, {})


def test_lists_in_lists_in_lists_do_not_stop_a_job() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Rejected, match="bad_id"):
        identity_of(deep)
    assert json_ids("[" * 100_000 + "]" * 100_000, '"k"') == (["k"], {"not_json": 1})


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
))  # fmt: skip
def test_whatever_is_json_is_an_id(value: Any) -> None:
    found = identity_of(json.loads(json.dumps(value)))
    assert (found is None) == (value is None)
    assert (found or "").encode("utf-8").decode() == (found or "")


def test_an_id_that_only_python_can_hold_is_its_string() -> None:
    assert identity_of(datetime(2020, 1, 1, tzinfo=timezone.utc)) == "2020-01-01 00:00:00+00:00"
