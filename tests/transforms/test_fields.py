"""Names and types of kept fields, and what values of each type the input's become."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.pipeline.terminal.flag_types import field_list
from elmo_beam.transforms.inputs.fields import (
    checked_fields,
    holds,
    kept_fields,
    parsed_field,
    plain_type,
    type_named,
    type_text,
)
from elmo_beam.transforms.inputs.ids import python_values
from elmo_beam.transforms.inputs.jsonl import parsed
from elmo_beam.transforms.inputs.lines import Number, as_json
from elmo_beam.transforms.inputs.values import converted, json_value, nested
from tests.helpers.fields import PLAIN_TYPES, columns, plain_types
from tests.helpers.refusal import refused

MOMENT = dt.datetime(2020, 1, 31, 23, 59, 59, 250_000, dt.timezone.utc)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map("n".__add__)


@given(plain_types())
def test_a_type_is_read_as_it_is_written(kind: pa.DataType) -> None:
    assert type_named(type_text(kind)) == kind
    assert plain_type(kind) == kind
    assert holds(kind, kind)


@given(NAMES, plain_types())
def test_an_entry_is_a_name_and_a_type_whatever_their_letters(name: str, kind: pa.DataType) -> None:
    assert parsed_field(f"{name}:{type_text(kind)}") == (name, kind)


@given(st.lists(plain_types(), min_size=1, max_size=4))
def test_the_flag_takes_entries_separated_by_commas(kinds: list[pa.DataType]) -> None:
    entries = tuple(f"f{i}:{type_text(kind)}" for i, kind in enumerate(kinds))
    assert field_list(",".join(entries)) == entries
    assert field_list(", ".join(entries) + ",") == entries
    assert kept_fields(entries).types == kinds


@pytest.mark.parametrize("text, kind", [
    ("float", pa.float32()), ("double", pa.float64()), ("halffloat", pa.float16()),
    ("large_string", pa.string()), ("date32", pa.date32()), ("date64[ms]", pa.date32()),
    ("timestamp[s]", pa.timestamp("ms")), ("timestamp[us,tz=UTC]", pa.timestamp("us", "UTC")),
    ("timestamp[ns, tz=+01:00]", pa.timestamp("ns", "+01:00")),
    ("list<item: int8>", pa.list_(pa.int8())), ("decimal128(10,2)", pa.decimal128(10, 2)),
])  # fmt: skip
def test_types_are_taken_as_arrow_prints_them(text: str, kind: pa.DataType) -> None:
    assert type_named(text) == kind
    assert parsed_field(f"a:b:{text}") == ("a:b", kind)


@pytest.mark.parametrize("kind, plain", [
    (pa.dictionary(pa.int8(), pa.string()), pa.string()), (pa.large_string(), pa.string()),
    (pa.string_view(), pa.string()), (pa.large_binary(), pa.binary()), (pa.binary(4), pa.binary()),
    (pa.large_list(pa.large_string()), pa.list_(pa.string())),
    (pa.list_(pa.int8(), 3), pa.list_(pa.int8())), (pa.uuid(), pa.binary()),
    (pa.timestamp("s", "UTC"), pa.timestamp("ms", "UTC")), (pa.time32("s"), pa.time32("ms")),
    (pa.run_end_encoded(pa.int32(), pa.int8()), pa.int8()),
])  # fmt: skip
def test_how_a_column_is_encoded_is_not_part_of_its_type(
    kind: pa.DataType, plain: pa.DataType
) -> None:
    assert plain_type(kind) == plain


@pytest.mark.parametrize("kind", [
    pa.struct([("a", pa.int8())]), pa.map_(pa.string(), pa.int8()), pa.null(),
    pa.month_day_nano_interval(), pa.list_(pa.struct([("a", pa.int8())])),
])  # fmt: skip
def test_what_has_no_plain_type(kind: pa.DataType) -> None:
    with pytest.raises(ValueError):
        plain_type(kind)


def test_a_type_holds_the_smaller_ones_of_its_kind_only() -> None:
    assert holds(pa.int64(), pa.int32()) and holds(pa.int16(), pa.uint8())
    assert holds(pa.float64(), pa.float32())
    assert holds(pa.list_(pa.int64()), pa.list_(pa.int8()))
    for kept, kind in (
        (pa.int32(), pa.int64()), (pa.int64(), pa.uint64()), (pa.float32(), pa.float64()),
        (pa.float64(), pa.int8()), (pa.string(), pa.int8()), (pa.int64(), pa.bool_()),
        (pa.list_(pa.int8()), pa.int8()), (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    ):  # fmt: skip
        assert not holds(kept, kind)


@pytest.mark.parametrize("name", [
    "shard", "id", "text", "tokens", "position", "word", "left", "right", "count", "elmo",
    "default", "lstm_outputs1", "lstm_outputs12", "word_emb", "reason", "length", "raw",
])  # fmt: skip
def test_the_name_of_a_column_of_ours_is_refused(name: str) -> None:
    for entry in (name, f"{name}:int64"):
        with refused("`keep_fields`", name, "another name", kind=ArgumentError):
            checked_fields([entry])
    assert checked_fields([f"meta.{name}"]) == (f"meta.{name}",)


@pytest.mark.parametrize("value, parts", [
    (["a", "a"], ["a twice"]), (["a:int8", "a:int64"], ["a twice"]), ([""], ["no name"]),
    ([":int64"], ["no name"]), (["a:"], ["no type"]),
    (["a:int64:string"], ["two types"]), (["a:lang"], ["no type lang", "list<TYPE>"]),
    (["a:list<text>"], ["list<text>"]), (["a:struct<b: int8>"], ["struct<b: int8>"]),
    (["a:decimal128(99, 2)"], ["decimal128"]),
    (["t:timestamp[us, tz=Nowhere/Zone]"], ["Nowhere"]), (["a\nb"], []), ([1], ["item 0"]), (1, []),
])  # fmt: skip
def test_what_is_no_entry(value: Any, parts: list[str]) -> None:
    with refused("`keep_fields`", *parts, kind=ArgumentError):
        checked_fields(value)


def test_one_entry_may_be_given_alone_and_the_flag_splits_at_commas() -> None:
    assert checked_fields("label:int64") == ("label:int64",)
    assert field_list("label, a.b:list<string>,t:timestamp[s, tz=UTC],") == (
        "label",
        "a.b:list<string>",
        "t:timestamp[s, tz=UTC]",
    )


# Values


@given(columns())
def test_what_is_written_as_an_id_becomes_the_same_value_again(column: pa.Array) -> None:
    values = [converted(value, column.type) for value in python_values(column)]
    assert same(pa.array(values, column.type), column)


@given(columns())
def test_what_is_written_as_json_text_becomes_the_same_value_again(column: pa.Array) -> None:
    """As it is in a field of a CSV file."""
    texts = [None if v is None else text_of(v) for v in python_values(column)]
    values = [converted(text, column.type) for text in texts]
    assert same(pa.array(values, column.type), column)


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def same(got: pa.Array, want: pa.Array) -> bool:
    """Equal, NaN too."""
    return got.type == want.type and repr(got.to_pylist()) == repr(want.to_pylist())


@pytest.mark.parametrize("document, kind, value", [
    ("7", "int8", 7), ('"7"', "int8", 7), ('" +7 "', "int64", 7), ("-128", "int8", -128),
    ("18446744073709551615", "uint64", 2**64 - 1), ('""', "int64", None), ('" "', "bool", None),
    ("null", "string", None), ("null", "list<string>", None), ('""', "string", ""),
    ("7", "string", "7"), ("true", "string", "true"), ("1.50", "string", "1.5"),
    ('{"a": [1, null]}', "string", '{"a": [1, null]}'), ("9" * 5000, "string", "9" * 5000),
    ("true", "bool", True), ('"FALSE"', "bool", False), ("1", "bool", True), ('"0"', "bool", False),
    ("1", "float32", 1.0), ('"1e3"', "float64", 1000.0), ("1.5", "float32", 1.5),
    ('"inf"', "float32", float("inf")), ("[1, null]", "list<int8>", [1, None]),
    ('"[1, 2]"', "list<int8>", [1, 2]), ('[["a"], null]', "list<list<string>>", [["a"], None]),
    ("[1]", "list<string>", ["1"]), ('"a"', "binary", b"a"), ('"\\\\xff"', "binary", b"\xff"),
    ('"2020-01-31T23:59:59.250000Z"', "timestamp[ms, tz=UTC]", MOMENT),
    ('"2020-02-01 00:59:59.25+01:00"', "timestamp[us, tz=UTC]", MOMENT),
    ('"10:30"', "time64[us]", dt.time(10, 30)), ('"2020-01-31"', "date32", MOMENT.date()),
    ("12.5", "decimal128(4, 2)", Decimal("12.50")), ("3", "decimal128(4, 2)", Decimal("3.00")),
])  # fmt: skip
def test_values_of_json(document: str, kind: str, value: Any) -> None:
    plain = type_named(kind)
    assert pa.array([converted(parsed(document), plain)], plain).to_pylist() == [value]


@pytest.mark.parametrize("document, kind", [
    ("128", "int8"), ("-1", "uint64"), ("1.0", "int64"), ("true", "int64"), ('"x"', "int64"),
    ('"1_0"', "int64"), ('"1_0"', "float64"), ("9" * 5000, "int64"), ("true", "float64"),
    ("1e39", "float32"), ("70000", "float16"), ("2", "bool"), ('"yes"', "bool"), ("[1]", "int8"),
    ("1", "list<int8>"), ('"x"', "list<string>"), ('[128]', "list<int8>"), ("{}", "list<int8>"),
    ('"2020"', "time32[ms]"), ('"32.1.2020"', "date32"), ("1.555", "decimal128(4, 2)"),
    ('"\\ud800"', "string"), ('["\\ud800"]', "list<string>"), ('"\\\\xf"', "binary"),
    ('"2020-01-01 00:00:00"', "timestamp[us, tz=UTC]"), ('"1.5"', "duration[s]"),
    ('"-1e400"', "float64"),
])  # fmt: skip
def test_values_that_a_type_does_not_have(document: str, kind: str) -> None:
    with pytest.raises(ValueError):
        converted(parsed(document), type_named(kind))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
    st.sampled_from(PLAIN_TYPES),
)
def test_any_json_is_a_value_or_a_value_error_and_can_be_a_rejects(
    value: Any, kind: pa.DataType
) -> None:
    given = parsed(json.dumps(value))
    json.dumps(json_value(given), allow_nan=False)
    try:
        found = converted(given, kind)
    except ValueError:
        return
    pa.array([found], kind).validate(full=True)


def test_a_rejects_value_is_that_of_the_line() -> None:
    for value in (None, True, 7, 1.5, "é\ud800", [1, {"a": None}]):
        assert json_value(parsed(json.dumps(value))) == value
    assert json_value(Number("9" * 5000)) == "9" * 5000
    assert json_value(float("nan")) == "NaN"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert json_value(deep) is None


def test_fields_in_fields_are_found_by_dots_whole_names_first() -> None:
    document = {"a": {"b": 1, "b.c": 2, "d": {"e": 3}}, "a.b": 4, "n": None, "l": [{"x": 1}]}
    names = ("a.b", "a.b.c", "a.d.e", "n", "n.x", "l.x", "a.", ".a", "z", "a.d")
    assert [nested(document, name) for name in names] == [
        4, 2, 3, None, None, None, None, None, None, {"e": 3}
    ]  # fmt: skip
