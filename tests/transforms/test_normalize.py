"""Blocks of raw lines to blocks of sentences: order, numbers, ids, and what becomes of a line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.outputs.schema import sentence_schema
from tests.helpers.blocks import (
    REASONS,
    make_settings,
    normalized,
    raw_block,
    read_shard,
    rows_of,
    write_shard,
)

GOOD = b"good line number %d ."
JSON = "/in/a.jsonl"


def json_line(**document: Any) -> bytes:
    return json.dumps(document).encode()


def test_sentences_come_in_order_with_their_line_numbers() -> None:
    run = make_settings(split_sentences=True)
    lines = [b"He sat. She ran!", b"", b"One more", b"\xff", b"We ate. You ran. I sat."]
    block = normalized(raw_block(lines, shard="/in/x.txt", first_line=100), run)
    assert [(r["line"], r["offset"], r["sentence"], r["text"]) for r in rows_of(block)] == [
        (100, 0, 0, "He sat."),
        (100, 0, 1, "She ran!"),
        (102, 18, 0, "One more"),
        (104, 29, 0, "We ate."),
        (104, 29, 1, "You ran."),
        (104, 29, 2, "I sat."),
    ]
    assert (block.total("embedded"), block.total("blank"), block.rejected) == (
        3,
        1,
        {"invalid_utf8": 1},
    )
    assert [(r["line"], r["offset"]) for r in block.rejects] == [(103, 27)]
    assert {row["shard"] for row in rows_of(block)} == {"/in/x.txt"}
    assert len(block) == 6


def test_a_row_has_its_tokens_and_their_number() -> None:
    [row] = rows_of(normalized(raw_block([b" I  don't\tknow. "]), make_settings()))
    tokens = ["I", "don", "'t", "know", "."]
    assert row["tokens"] == tokens
    assert (row["num_tokens"], row["truncated"], row["text"]) == (5, False, "I don't know.")


def test_truncated_and_split_sentences_are_marked() -> None:
    lines = [b"a b c d", b"e f"]
    cut = rows_of(
        normalized(raw_block(lines), make_settings(max_tokens=3, long_sentences="truncate"))
    )
    assert [(r["tokens"], r["truncated"], r["num_tokens"]) for r in cut] == [
        (["a", "b", "c"], True, 3),
        (["e", "f"], False, 2),
    ]
    assert cut[0]["text"] == "a b c d"
    split = rows_of(
        normalized(raw_block(lines), make_settings(max_tokens=3, long_sentences="split"))
    )
    assert [(r["line"], r["sentence"], r["tokens"], r["truncated"]) for r in split] == [
        (0, 0, ["a", "b", "c"], False),
        (0, 1, ["d"], False),
        (1, 0, ["e", "f"], False),
    ]


def test_sentences_and_their_pieces_are_numbered_on_within_a_line() -> None:
    run = make_settings(max_tokens=3, long_sentences="split", split_sentences=True)
    rows = rows_of(normalized(raw_block([b"He sat down there. She ran."]), run))
    assert [(r["sentence"], r["tokens"]) for r in rows] == [
        (0, ["He", "sat", "down"]),
        (1, ["there", "."]),
        (2, ["She", "ran", "."]),
    ]


@pytest.mark.parametrize("id_field", [None, "key"])
def test_the_table_has_the_schema_whether_there_are_rows_or_not(id_field: str | None) -> None:
    run = make_settings(id_field=id_field)
    for lines in ([], [b"", b" "], [b"a"], [b"a b", b"c"]):
        block = normalized(raw_block(lines), run)
        assert block.sentences.schema == sentence_schema(run)
        block.sentences.validate(full=True)
    names = ["shard", "line", "offset", "sentence", "text", "tokens", "num_tokens", "truncated"]
    assert [n for n in sentence_schema(run).names if n != "id"] == names
    assert ("id" in sentence_schema(run).names) == (id_field is not None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (json_line(text="a", key="k1"), "k1"),
        (json_line(text="a", key=7), "7"),
        (json_line(text="a", key=1.5), "1.5"),
        (json_line(text="a", key=True), "true"),
        (json_line(text="a", key=["é", {"x": None}]), '["é", {"x": null}]'),
        (json_line(text="a", key=None), None),
        (json_line(text="a"), None),
        (json_line(text="a", key=""), ""),
        (json_line(text="a", key=["\ud800"]), r'["\ud800"]'),
        (json_line(text="a", key={"\udfff": 1}), r'{"\udfff": 1}'),
        (b'{"text": "a", "key": NaN}', "NaN"),
    ],
)
def test_an_id_is_copied_and_never_costs_its_line(line: bytes, expected: str | None) -> None:
    run = make_settings(id_field="key")
    rows = rows_of(normalized(raw_block([line, json_line(text="b", key="n")], shard=JSON), run))
    assert [(row["text"], row["id"]) for row in rows] == [("a", expected), ("b", "n")]
    too_long = make_settings(id_field="key", tokenizer="whitespace", max_tokens=1)
    long = line.replace(b'"a"', b'"a b"')
    [reject] = normalized(raw_block([long], shard=JSON), too_long).rejects
    assert (reject["reason"], reject["id"]) == ("too_many_tokens", expected)
    json.dumps(reject).encode()
    other = line.replace(b'"text"', b'"body"')
    [reject] = normalized(raw_block([other], shard=JSON), run).rejects
    assert (reject["reason"], reject["id"]) == ("missing_field", expected)


def test_the_field_of_the_text_can_be_named() -> None:
    run = make_settings(text_field="body")
    block = normalized(raw_block([json_line(body="a b"), json_line(text="c")], shard=JSON), run)
    assert [row["text"] for row in rows_of(block)] == ["a b"]
    assert block.rejected == {"missing_field": 1}


def test_json_text_is_normalized_like_any_other() -> None:
    lines = [json_line(text="two\nlines\u0000 "), json_line(text="\n"), b"  ", b""]
    block = normalized(raw_block(lines, shard=JSON), make_settings())
    assert [row["text"] for row in rows_of(block)] == ["two lines"]
    assert (block.total("embedded"), block.total("blank"), block.rejects) == (1, 3, [])


GARBAGE = st.one_of(
    st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")),
    st.text(st.characters(), max_size=20).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "key"]), inner),
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [b"w " * 9, b"{", b'{"text": "\\ud800"}', b"[" * 5000, b'{"text": "A b. C d."}']
    ),
).map(lambda line: line.replace(b"\n", b" "))


@given(
    st.lists(GARBAGE, max_size=15),
    st.sampled_from([".txt", ".jsonl", ".txt.gz"]),
    st.sampled_from(["reject", "truncate", "split"]),
    st.booleans(),
    st.sampled_from([20, 1 << 18]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_of_garbage_is_accounted_for_and_its_neighbours_are_there(
    tmp_path: Path,
    garbage: list[bytes],
    suffix: str,
    policy: str,
    split_sentences: bool,
    block_size: int,
) -> None:
    good = [GOOD % i for i in range(len(garbage) + 1)]
    if suffix == ".jsonl":
        good = [json_line(text=line.decode(), key=i) for i, line in enumerate(good)]
    lines = [line for pair in zip(good, [*garbage, b""], strict=True) for line in pair]
    run = make_settings(
        id_field="key",
        max_tokens=6,
        long_sentences=policy,
        split_sentences=split_sentences,
        block_size=block_size,
    )
    text = b"\n".join(lines) + b"\n"
    assume(4 * sum(b"\0" in line for line in lines) <= len(lines))  # or it is binary data
    plan, raw = read_shard(write_shard(tmp_path / f"a{suffix}", text), run)
    blocks = [normalized(block, run) for block in raw]
    assert plan.lines == len(lines)
    for block in blocks:
        done = block.total("embedded") + block.total("blank")
        assert block.total("lines") == done + len(block.rejects)
        assert block.rejected == dict(Counter(r["reason"] for r in block.rejects))
        assert block.rejected.keys() <= set(REASONS)
    rows = [row for block in blocks for row in rows_of(block)]
    kept = {row["line"]: row["text"] for row in rows if row["sentence"] == 0}
    for i in range(len(good)):
        assert kept[2 * i].startswith(f"good line number {i}")
    assert len(kept) == sum(block.total("embedded") for block in blocks)
    assert all(row["tokens"] and len(row["tokens"]) == row["num_tokens"] <= 6 for row in rows)
    numbers = [(row["line"], row["sentence"]) for row in rows]
    assert numbers == sorted(set(numbers))
    lost = {r["line"] for block in blocks for r in block.rejects}
    assert not lost & kept.keys()


def test_many_rows_keep_their_tokens_apart() -> None:
    lengths = np.random.default_rng(1).integers(1, 9, 500)
    lines = [b" ".join(b"%d-%d" % (i, k) for k in range(n)) for i, n in enumerate(lengths)]
    rows = rows_of(normalized(raw_block(lines), make_settings()))
    assert [row["tokens"] for row in rows] == [line.decode().split() for line in lines]
