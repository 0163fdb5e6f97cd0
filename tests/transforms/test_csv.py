"""CSV and TSV: columns, quotes, and what is damaged or rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from elmo_beam.transforms.inputs.lines import Record
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import (
    make_settings,
    normalized,
    read_shard,
    records_of,
    rows_of,
    write_shard,
)


def test_the_text_column_the_id_and_the_others(tmp_path: Path) -> None:
    data = b'id,label,body\n7,pos,"The bank, ""so""\nof it"\n8,,plain 5" pipe\n,neg,\n'
    path = write_shard(tmp_path / "a.csv", data)
    got = records_of(path, text_column="body", id_field="id", keep_fields=("label",))
    assert got == [
        (
            14,
            Record(
                'The bank, "so"\nof it',
                "7",
                fields={"label": "pos"},
            ),
        ),
        (
            45,
            Record('plain 5" pipe', "8", fields={"label": ""}),
        ),
        (62, Record("", "", fields={"label": "neg"})),
    ]
    run = make_settings(text_column="body", id_field="id")
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert (block.total("embedded"), block.total("blank"), block.rejected) == (2, 1, {})
    assert [(row["line"], row["offset"], row["id"], row["text"]) for row in rows_of(block)] == [
        (0, 14, "7", 'The bank, "so" of it'),
        (1, 45, "8", 'plain 5" pipe'),
    ]


def test_tabs_separate_the_columns_of_tsv(tmp_path: Path) -> None:
    for name in ("a.tsv", "a.TSV", "a.tsv.gz", "a.csv.tsv"):
        path = write_shard(tmp_path / name, b'text\tn\none, two\t1\n"a\tb"\t2\n')
        assert [record.text for _, record in records_of(path) if isinstance(record, Record)] == [
            "one, two",
            "a\tb",
        ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"one", "bad_columns"),
        (b"one,1,", "bad_columns"),
        (b'one"two,1', 'one"two'),
        (b'"one"two,1', "bad_quotes"),
        (b'"one" ,1', "bad_quotes"),
        (b'"one"two"three,1', "bad_quotes"),
        (b'one,"1"x', "bad_quotes"),
        (b'one"",1', 'one""'),
        (b' "one",1', ' "one"'),
        (b'"""",1', '"'),
        (b'"",1', ""),
        (b"\xff,1", "invalid_utf8"),
        (b"one\r,1", "one\r"),
        (b"a\0b,1", "a\0b"),
        (b"", ""),
        (b"\r", ""),
    ],
)
def test_a_row_that_is_bad_costs_only_itself(tmp_path: Path, row: bytes, expected: str) -> None:
    path = write_shard(tmp_path / "a.csv", b"text,n\nfirst,0\n" + row + b"\nlast,2\n")
    got = [record if isinstance(record, str) else record.text for _, record in records_of(path)]
    assert got == ["first", expected, "last"]


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"", ("is empty", "header")),
        (b"\xef\xbb\xbf", ("is empty", "header")),
        (b"a,b\n1,2\n", ("no column 'text'", "a, b")),
        (b"Text,b\n1,2\n", ("no column 'text'", "Text, b")),
        (b"text,text\n1,2\n", ("several columns 'text'",)),
        (b"text\rone\rtwo\r", ("CR alone",)),
        (b"text,id\rone,1\r\ntwo,2\r\n", ("CR alone",)),
        (b"\ntext\none\n", ("empty line",)),
        (b'text,"n\none,1\n', ("header", "quote")),
        (b'text,"n"x\none,1\n', ("header", "quote")),
        (b"text,\xff\none,1\n", ("header", "UTF-8")),
        (b'text\none\n"two\nthree\nfour', ("open at its end", "record 1", "byte 9:")),
        (b'\xef\xbb\xbftext\none\n"two\n', ("open at its end", "record 1", "byte 12:")),
        (b"text," + b"x" * (1 << 20) + b"\none,1\n", ("header of over 1 MiB",)),
        (b"PK\x03\x04" + b"\0" * 99, ("zip archive",)),
        (b"text\none\n".decode().encode("utf-16"), ("UTF-16",)),
    ],
)
def test_what_is_not_a_table_is_damaged(
    tmp_path: Path, data: bytes, parts: tuple[str, ...]
) -> None:
    plan = make_plan(write_shard(tmp_path / "a.csv", data), make_settings())
    assert plan.damaged is not None and plan.blocks == []
    for part in parts:
        assert part in plan.damaged, plan.damaged


def test_an_id_column_that_is_missing_or_twice_is_damage(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.csv", b"text,key,key\none,1,2\n")
    for name in ("key", "other"):
        assert make_plan(path, make_settings(id_field=name)).damaged is not None
        assert make_plan(path, make_settings(keep_fields=(name,))).damaged is not None
    assert make_plan(path, make_settings()).damaged is None


@pytest.mark.parametrize("header", [b"text", b"text\n", b'"text"\r\n', b'\xef\xbb\xbf"text",n\n'])
def test_a_header_alone_has_no_lines(tmp_path: Path, header: bytes) -> None:
    plan = make_plan(write_shard(tmp_path / "a.csv", header), make_settings())
    assert (plan.damaged, plan.lines) == (None, 0)


def test_a_quote_that_a_later_one_closes_costs_what_it_swallows_and_no_more(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.csv", b'text,n\n"one,1\ntwo,2\n"three",3\nfour,4\n')
    assert [
        record if isinstance(record, str) else record.text for _, record in records_of(path)
    ] == [
        "bad_quotes",
        "four",
    ]
