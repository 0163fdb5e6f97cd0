"""Kept fields from the input's formats to the columns of a block, and to its rejects."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from elmo_beam.transforms.inputs.fields import plain_type, type_text
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.outputs.parquet import read_parquet, write_parquet
from elmo_beam.transforms.outputs.schema import part_schema
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import (
    embedded_block,
    make_settings,
    normalized,
    raw_block,
    read_shard,
    rows_of,
    write_shard,
)
from tests.helpers.fields import columns

TEXT = "one two three"


def run_shard(path: Path | str, *entries: str, **changes: Any) -> list[SentenceBlock]:
    """The normalized blocks of a shard."""
    run = make_settings(keep_fields=entries, **changes)
    return [normalized(block, run) for block in read_shard(str(path), run)[1]]


def run_lines(*documents: Any, fields: tuple[str, ...], **changes: Any) -> SentenceBlock:
    """The normalized block of lines of JSON."""
    lines = [d if isinstance(d, bytes) else json.dumps(d).encode() for d in documents]
    block = raw_block(lines, shard="/in/a.jsonl")
    return normalized(block, make_settings(keep_fields=fields, **changes))


def column(block: SentenceBlock, name: str) -> list[Any]:
    return list(block.sentences[name].to_pylist())


def damage(path: Path | str, *entries: str) -> str:
    """Why a file is damaged for a run that keeps these fields."""
    found = make_plan(str(path), make_settings(keep_fields=entries)).damaged
    assert found is not None
    return found


def test_json_fields_stand_after_the_id_in_every_row_of_their_line() -> None:
    block = run_lines(
        {"text": "A cat. A dog.", "label": 7, "meta": {"x": True}, "key": "k"},
        {"text": "Null."},
        {"text": "Text.", "label": "8", "meta": {"x": [1]}},
        b" ",
        fields=("label:int64", "meta.x", "key"),
        id_field="key",
        split_sentences=True,
    )
    names = block.sentences.schema.names
    assert names[names.index("id") + 1 : names.index("text")] == ["label", "meta.x", "key"]
    assert column(block, "label") == [7, 7, None, 8]
    assert column(block, "meta.x") == ["true", "true", None, "[1]"]
    assert column(block, "key") == column(block, "id") == ["k", "k", None, None]
    assert (block.total("embedded"), block.total("blank"), block.rejects) == (3, 1, [])


def test_a_value_that_does_not_convert_rejects_its_line_and_rejects_keep_the_fields() -> None:
    block = run_lines(
        {"text": "Good.", "label": 1},
        {"text": "Bad.", "label": "x", "a": {"b": 2}, "key": 5},
        {"label": 3, "a.b": "c", "key": 6},
        {"text": "w " * 6, "label": "4"},
        {"text": "Bad id.", "label": 5, "key": "\ud800"},
        b"not JSON",
        fields=("label:int64", "a.b"),
        id_field="key",
        max_tokens=5,
    )
    keys = ["shard", "line", "offset", "reason", "id", "label", "a.b", "length", "raw"]
    assert [list(reject) for reject in block.rejects] == [keys] * 5
    found = [(r["line"], r["reason"], r["id"], r["label"], r["a.b"]) for r in block.rejects]
    assert found == [
        (1, "bad_field", "5", "x", 2),
        (2, "missing_field", "6", 3, "c"),
        (3, "too_many_tokens", None, "4", None),
        (4, "bad_id", None, 5, None),
        (5, "not_json", None, None, None),
    ]
    assert block.total("embedded") == 1


def test_plain_text_has_null(tmp_path: Path) -> None:
    [block] = run_shard(write_shard(tmp_path / "a.txt", b"one\ntwo\n"), "label:int64", "x")
    assert column(block, "label") == column(block, "x") == [None, None]
    assert block.sentences.schema.field("label").type == pa.int64()


def test_a_run_of_words_has_them_in_the_rows_of_its_sentences() -> None:
    block = run_lines(
        {"text": "no", "n": 1}, {"text": "cat", "n": 2}, fields=("n:int8",), words=("cat",)
    )
    assert column(block, "n") == [2]


@given(columns(durations=True))
def test_parquet_columns_of_every_type_are_copied_exactly(column: pa.Array) -> None:
    """From the file through the block to the part, alone and in a struct, whatever the rows."""
    entry = f"x:{type_text(plain_type(column.type))}"
    run = make_settings(keep_fields=(entry, f"s.{entry}"), block_size=1, outputs=("default",))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.parquet")
        write(path, x=column, s=pa.StructArray.from_arrays([column], ["x"]))
        parts = []
        for raw in read_shard(str(path), run)[1]:
            part = embedded_block(normalized(raw, run), run).part
            write_parquet(part, run, f"{folder}/part")
            parts.append(read_parquet(f"{folder}/part", run, None))
    rows = pa.concat_tables([part_schema(run).empty_table(), *parts])
    for name in ("x", "s.x"):
        assert rows[name].combine_chunks().equals(column) or same_bits(rows[name], column)


def same_bits(got: pa.ChunkedArray, want: pa.Array) -> bool:
    """Equal where NaN is equal to itself."""
    return got.type == want.type and repr(got.to_pylist()) == repr(want.to_pylist())


def write(path: Path, **columns: Any) -> Path:
    """A Parquet file of these columns, and a text for each row."""
    table = pa.table(columns)
    texts = pa.array([TEXT] * table.num_rows)
    pq.write_table(table.append_column("text", texts), path)
    return path


def test_nested_and_encoded_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        a=[{"b": 1, "c.d": "x"}, None, {"b": None, "c.d": "y"}],
        d=pa.array(["u", None, "u"]).dictionary_encode(),
        large=pa.array(["v", None, ""], pa.large_string()),
        fixed=pa.array([[1, 2], [5, 6], [3, 4]], pa.list_(pa.int8(), 2)),
        short=pa.array([1, None, 3], pa.int16()),
        nothing=pa.nulls(3),
        **{"t.u": [1.5, None, 2.5], "t": [{"u": "other"}] * 3},
    )
    [block] = run_shard(
        path, "a.b:int64", "a.c.d", "d", "large", "fixed:list<int8>", "short:int64",
        "nothing:date32", "t.u:float64",
    )  # fmt: skip
    assert column(block, "a.b") == [1, None, None]
    assert column(block, "a.c.d") == ["x", None, "y"]
    assert column(block, "d") == ["u", None, "u"]
    assert column(block, "large") == ["v", None, ""]
    assert column(block, "fixed") == [[1, 2], [5, 6], [3, 4]]
    assert column(block, "short") == [1, None, 3]
    assert column(block, "nothing") == [None] * 3
    assert column(block, "t.u") == [1.5, None, 2.5]


def test_rejected_rows_of_parquet_keep_the_fields_and_bytes_that_are_not_text_are_one(
    tmp_path: Path,
) -> None:
    raw = pa.array([b"x", b"\xff", b"y", b"z"])
    text = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    table = pa.table({
        "text": ["one", "two", None, "four"], "s": text, "n": pa.array([1, 2, 3, 4], pa.int8()),
        "when": pa.array([0, 1, 86_400_000_001, None], pa.timestamp("us")),
        "key": list("abcd"),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    entries = ("s", "n:int8", "when:timestamp[us]")
    [block] = run_shard(tmp_path / "a.parquet", *entries, id_field="key")
    shown = [{name: r[name] for name in ("reason", "id", "s", "n", "when")} for r in block.rejects]
    assert shown == [
        {"reason": "bad_field", "id": "b", "s": None, "n": 2, "when": "1970-01-01 00:00:00.000001"},
        {"reason": "null_text", "id": "c", "s": "y", "n": 3, "when": "1970-01-02 00:00:00.000001"},
    ]  # fmt: skip
    assert column(block, "s") == ["x", "z"]
    assert column(block, "n") == [1, 4]


def test_a_column_of_another_type_is_damage_that_names_both(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", label=[1, 2], a=[{"b": 1.5}] * 2, m=[{"x": 1}] * 2)
    found = damage(path, "label")
    assert "'label' is int64" in found and "keeps it as string" in found and "label:int64" in found
    assert "'label' is int64" in damage(path, "label:int32")
    assert "'a.b' is float64" in damage(path, "a.b:float32")
    assert "as in m.b" in damage(path, "m:string")
    assert make_plan(str(path), make_settings(keep_fields=("label:int64",))).damaged is None


def test_a_missing_column_is_damage_that_names_those_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", label=[1, 2], a=[{"b": 1}] * 2)
    for name in ("labels", "a.c", "label.x", "a.b.c"):
        found = damage(path, f"{name}:int64")
        assert found == f"has no column {name!r}: it has label, a, text"
    twice = pa.table([[1], [2], ["x"]], names=["n", "n", "text"])
    pq.write_table(twice, tmp_path / "b.parquet")
    assert damage(tmp_path / "b.parquet", "n:int64") == "has several columns 'n'"


# A format that has a value for each token


def tagged(table: pa.Table, settings: Any) -> Any:
    """`token/tag token/tag …`, and what the line says of itself."""
    for raw in table["raw"].to_pylist():
        pairs = [pair.split("/") for pair in raw.decode().split()]
        if any(len(pair) != 2 for pair in pairs):
            yield Rejected("missing_field", fields={"note": "broken"})
            continue
        tokens, tags = map(list, zip(*pairs, strict=True))
        heads = list(range(len(tokens)))
        note = {"note": f"{len(tokens)} tokens"}
        yield Record(" ".join(tokens), None, tokens, {"tag": tags, "head": heads}, note)


@pytest.fixture
def tagged_format(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = InputFormat((".tags",), True, None, None, tagged)  # type: ignore[arg-type]
    monkeypatch.setattr("elmo_beam.transforms.normalize.input_format", lambda path: made_up)


@pytest.mark.parametrize("policy", ["split", "truncate", "reject"])
def test_lists_of_tokens_are_those_of_the_sentences_own(tagged_format: None, policy: str) -> None:
    run = make_settings(
        keep_fields=("head:list<int32>", "tag:list<string>", "note", "xpos:list<string>"),
        long_sentences=policy, max_tokens=2,
    )  # fmt: skip
    lines = [b"a/X b/Y c/Z", b"d/W", b"broken"]
    block = normalized(raw_block(lines, shard="/in/a.tags"), run)
    rows = [
        tuple(row[n] for n in ("tokens", "tag", "head", "note", "xpos")) for row in rows_of(block)
    ]
    first = (["a", "b"], ["X", "Y"], [0, 1], "3 tokens", None)
    second = (["c"], ["Z"], [2], "3 tokens", None)
    other = (["d"], ["W"], [0], "1 tokens", None)
    kept = {"split": [first, second, other], "truncate": [first, other], "reject": [other]}
    assert rows == kept[policy]
    *long, broken = block.rejects
    assert (broken["note"], broken["tag"]) == ("broken", None)
    assert [(r["reason"], r["tag"], r["head"]) for r in long] == (
        [("too_many_tokens", ["X", "Y", "Z"], [0, 1, 2])] if policy == "reject" else []
    )


def test_a_value_of_a_token_that_does_not_convert_rejects_the_line(tagged_format: None) -> None:
    run = make_settings(keep_fields=("tag:list<int8>",))
    block = normalized(raw_block([b"a/1 b/2", b"a/1 b/x"], shard="/in/a.tags"), run)
    assert column(block, "tag") == [[1, 2]]
    assert [(r["reason"], r["tag"]) for r in block.rejects] == [("bad_field", ["1", "x"])]
