"""Parquet shards to raw lines: the text column's rows, whatever holds them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.parquet import ParquetRows
from elmo_beam.transforms.inputs.shards import Damaged
from elmo_beam.transforms.plan import Plan, make_plan
from tests.helpers.blocks import (
    HEAD,
    LIMIT,
    make_settings,
    normalized,
    raw_lines,
    read_blocks,
    read_shard,
    rows_of,
)

TEXTS = ["one two", "", None, "née", "last"]
RAW = [b"one two", b"", None, "née".encode(), b"last"]


def write(path: Path, columns: dict[str, Any], **options: Any) -> str:
    """Write a Parquet file; its path."""
    pq.write_table(pa.table(columns), path, **options)
    return str(path)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int8(), pa.large_string()),
    ],
    ids=str,
)
def test_every_kind_of_text_column_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array(TEXTS).cast(kind) if pa.types.is_dictionary(kind) else pa.array(TEXTS, kind)
    path = write(tmp_path / "a.parquet", {"text": texts})
    lines = raw_lines(read_shard(path, make_settings())[1])
    assert lines == [(raw, len(raw or b""), i) for i, raw in enumerate(RAW)]


@pytest.mark.parametrize("kind", [pa.null(), pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_a_column_of_nulls_only_is_rejected_line_by_line(tmp_path: Path, kind: pa.DataType) -> None:
    path = write(tmp_path / "a.parquet", {"text": pa.nulls(3, kind), "key": [1, 2, 3]})
    run = make_settings(id_field="key")
    [block] = [normalized(block, run) for block in read_shard(path, run)[1]]
    assert [(r["reason"], r["id"], r["length"]) for r in block.rejects] == [
        ("null_text", str(i), 0) for i in (1, 2, 3)
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_text_that_is_not_utf8_costs_its_line_only(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array([b"a", b"\xff", b"c"], pa.binary())
    if kind in (pa.large_string(), pa.large_binary()):
        texts = texts.cast(pa.large_binary())
    path = write(tmp_path / "a.parquet", {"text": texts.view(kind)})
    [block] = [normalized(b, make_settings()) for b in read_shard(path, make_settings())[1]]
    assert [row["text"] for row in rows_of(block)] == ["a", "c"]
    assert block.rejected == {"invalid_utf8": 1}


@pytest.mark.parametrize("rows_in_group", [1, 2, 3, 50, 1000])
@pytest.mark.parametrize("block_size", [1, 100, 1500, 1 << 18])
def test_rows_are_the_same_in_row_groups_and_blocks_of_any_size(
    tmp_path: Path, rows_in_group: int, block_size: int
) -> None:
    texts = [f"row {i} " + "." * (i % 60) if i % 7 else None for i in range(150)]
    path = write(
        tmp_path / "a.parquet", {"key": range(150), "text": texts}, row_group_size=rows_in_group
    )
    run = make_settings(block_size=block_size, id_field="key")
    _, blocks = read_shard(path, run)
    expected = [text.encode() if text is not None else None for text in texts]
    assert raw_lines(blocks) == [(raw, len(raw or b""), i) for i, raw in enumerate(expected)]
    assert [row["id"] for b in blocks for row in b.tables[0].to_pylist()] == list(range(150))


def test_a_row_group_larger_than_what_is_decoded_at_once_is_read_in_order(tmp_path: Path) -> None:
    texts = [str(i) for i in range(20_000)]
    path = write(tmp_path / "a.parquet", {"text": texts}, row_group_size=9000)
    run = make_settings(block_size=20_000)
    plan, blocks = read_shard(path, run)
    assert len(blocks) > 3
    assert [raw for raw, _, _ in raw_lines(blocks)] == [text.encode() for text in texts]
    alone = list(read_blocks(plan.shard, plan.blocks[2:3], run))
    assert alone[0]["raw"].to_pylist() == [raw for raw, _, _ in raw_lines(blocks[2:3])]


def test_the_named_text_column_is_read_and_no_other(tmp_path: Path) -> None:
    columns = {"text": [1, 2], "body": ["a", "b"], "a.b": ["c", "d"]}
    path = write(tmp_path / "a.parquet", columns)
    for name, expected in (("body", [b"a", b"b"]), ("a.b", [b"c", b"d"])):
        _, blocks = read_shard(path, make_settings(text_column=name))
        assert [raw for raw, _, _ in raw_lines(blocks)] == expected


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["x", "", None], ["x", "", None]),
        ([7, -1, None], ["7", "-1", None]),
        ([1.5, 2.0, None], ["1.5", "2.0", None]),
        ([True, False, None], ["true", "false", None]),
        ([b"bytes", b"\xff", None], ["bytes", "\\xff", None]),
        ([["p", 'q"'], [], None], ['["p", "q\\""]', "[]", None]),
        (pa.array(["x", "y", None]).dictionary_encode(), ["x", "y", None]),
        (pa.array([0, 18262, None], pa.date32()), ["1970-01-01", "2020-01-01", None]),
    ],
    ids=["string", "int", "float", "bool", "bytes", "list", "dictionary", "date"],
)
def test_the_id_column_is_copied_as_text(
    tmp_path: Path, ids: Any, expected: list[str | None]
) -> None:
    if isinstance(ids, list) and isinstance(ids[0], list):
        ids = pa.array([["p", 'q"'], [], None])
    path = write(tmp_path / "a.parquet", {"text": ["a", "b", "c"], "key": ids})
    run = make_settings(id_field="key")
    _, blocks = read_shard(path, run)
    assert [row["id"] for b in blocks for row in rows_of(normalized(b, run))] == expected


def test_the_text_column_can_be_the_id_column_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["a b", "c"]})
    run = make_settings(id_field="text")
    _, blocks = read_shard(path, run)
    rows = [row for block in blocks for row in rows_of(normalized(block, run))]
    assert [(row["id"], row["text"]) for row in rows] == [("a b", "a b"), ("c", "c")]


def test_a_row_too_long_is_kept_as_its_head(tmp_path: Path) -> None:
    texts = [b"x" * LIMIT, b"y" * (LIMIT + 1), b"z"]
    path = write(tmp_path / "a.parquet", {"text": texts})
    lines = raw_lines(read_shard(path, make_settings())[1])
    assert lines == [(texts[0], LIMIT, 0), (b"y" * HEAD, LIMIT + 1, 1), (b"z", 1, 2)]


def test_rows_and_bytes_of_the_text_are_counted(tmp_path: Path) -> None:
    texts = [f"{i:04d}" * 25 for i in range(1000)]
    path = write(tmp_path / "a.parquet", {"text": texts, "other": ["x" * 5000] * 1000})
    shard = make_plan(path, make_settings()).shard
    with ParquetRows(shard, make_settings()) as rows:
        assert rows.count == 1000
        sizes, total = rows.check(None, hashlib.sha256())
        assert (sizes.tolist(), total) == ([100] * 1000, 100_000)


def test_a_block_beyond_the_end_of_the_file_is_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["a", "b"]})
    plan: Plan = make_plan(path, make_settings())
    for block in (Block(0, 3, 0, 3), Block(5, 1, 5, 1)):
        with pytest.raises(Damaged, match=r"changed while it was read|ends before row 5"):
            list(read_blocks(plan.shard, [block], make_settings()))
