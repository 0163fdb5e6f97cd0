"""Ids of every Arrow type as strings: as they always were, and none that stops a job."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.ids import identities
from elmo_beam.transforms.inputs.lines import Rejected, as_json
from tests.helpers.blocks import make_settings, normalized, read_shard, rows_of

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


NESTED = [
    *((pa.array([[b"ab", b"\xff", b"\\x", None]], pa.list_(kind)),
       [r'["ab", "\\xff", "\\x5c78", null]'])
      for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.array([{"a": b"ab", "b": [b"\xff"]}, None]), [r'{"a": "ab", "b": ["\\xff"]}', None]),
    (pa.array([[(b"\xff", [b"a"])], None], pa.map_(pa.binary(), pa.list_(pa.binary()))),
     [r'[["\\xff", ["a"]]]', None]),
    *((pa.array([[0, None], None, []], kind(pa.timestamp("us", "Mars/X"))),
       ['["1970-01-01 00:00:00+00:00", null]', None, "[]"])
      for kind in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)),
    (pa.array([[0, 1], None], pa.list_(pa.time64("ns"), 2)),
     ['["00:00:00", "00:00:00.000000001"]', None]),
    (pa.array([[1], [2]], pa.list_(pa.time64("ns"))),
     ['["00:00:00.000000001"]', '["00:00:00.000000002"]']),
    (pa.array([[(1 << 31) - 1]], pa.list_(pa.date32())), ['["5881580-07-11"]']),
    (pa.array([{"at": 253402300800}], pa.struct([("at", pa.timestamp("s"))])),
     ['{"at": "10000-01-01 00:00:00"}']),
    (pa.array([[86400 * 10**9, 93784]], pa.list_(pa.duration("s"))),
     ['["1000000000 days, 0:00:00", "1 day, 2:03:04"]']),
    (pa.array([[86400]], pa.list_(pa.time32("s"))), [BAD]),
    (pa.array([[Decimal("1.50")]], pa.list_(pa.decimal128(5, 2))), ["[1.50]"]),
    (pa.array([[1.5, float("nan"), None, 2.0]]), ["[1.5, NaN, null, 2.0]"]),
    (pa.array([["x"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), ['["x"]']),
    (pa.DictionaryArray.from_arrays(pa.array([1, None]), pa.array([[b"x"], [b"y"]])),
     ['["y"]', None]),
    (pa.array([{}, None], pa.struct([])), ["{}", None]),
    (pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), [BAD]),
    (pa.ListArray.from_arrays([0, 1], pa.array([UUID(int=1).bytes], pa.uuid())),
     ['["00000000-0000-0000-0000-000000000001"]']),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"), [*ORDINARY, *NESTED], ids=lambda v: str(getattr(v, "type", ""))
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


LEAVES = [
    pa.binary(), *(pa.timestamp(unit, zone) for unit in UNITS for zone in (None, "Mars/Olympus")),
    *map(pa.duration, UNITS), pa.time64("ns"), pa.date32(), pa.int64(),
]  # fmt: skip


@given(st.sampled_from(LEAVES), st.data())
def test_a_value_is_written_in_a_list_a_map_and_a_struct_as_by_itself(
    kind: pa.DataType, data: st.DataObject
) -> None:
    if pa.types.is_binary(kind):
        values = pa.array(data.draw(st.lists(st.binary(max_size=4), max_size=3)), kind)
    else:
        width = (1 << (kind.bit_width - 1)) - 1
        values = integers(data.draw(st.lists(st.integers(-width, width), max_size=3)), kind)
    alone = shown(values)
    offsets = pa.array(range(len(values) + 1), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, values)
    structs = pa.StructArray.from_arrays([values], ["a"])
    maps = pa.MapArray.from_arrays(offsets, values, values)

    def nested(form: str) -> list[str | None]:
        is_number = kind == pa.int64()
        texts = [text if is_number or text in (None, BAD) else as_json(text) for text in alone]
        return [text if text in (None, BAD) else form.replace("?", text) for text in texts]

    assert shown(lists) == nested("[?]")
    assert shown(structs) == nested('{"a": ?}')
    assert shown(maps) == nested("[[?, ?]]")
    assert shown(pa.ListArray.from_arrays(offsets, structs)) == nested('[{"a": ?}]')


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
    "times": pa.ListArray.from_arrays([0, 1, 2, 3], integers([1, 86400, 3], pa.time32("s"))),
}


@pytest.mark.parametrize("name", BAD_SECOND)
def test_an_id_without_a_string_costs_its_line_and_no_other(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": ["one", "two", "three"], "key": BAD_SECOND[name]})
    pq.write_table(table, tmp_path / "a.parquet")
    run = make_settings(id_field="key")
    [block] = [normalized(b, run) for b in read_shard(str(tmp_path / "a.parquet"), run)[1]]
    assert [row["line"] for row in rows_of(block)] == [0, 2]
    assert (block.total("embedded"), block.total("blank"), block.rejected) == (2, 0, {"bad_id": 1})
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


def test_lists_in_lists_of_a_column_do_not_stop_a_job() -> None:
    values = pa.array([1, 2])
    for _ in range(2000):
        values = pa.ListArray.from_arrays([0, len(values)], values)
    assert shown(values) == [BAD]
