"""Every reason for which a line is rejected, and what is kept of the line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.normalize import SentenceBlock
from tests.helpers.blocks import (
    HEAD,
    LIMIT,
    REASONS,
    make_settings,
    normalized,
    raw_block,
    read_shard,
    rows_of,
    write_shard,
)

LONG = b"x" * (LIMIT + 1)
CASES = [
    ("invalid_utf8", ".txt", b"caf\xe9"),
    ("invalid_utf8", ".txt", b"\xed\xa0\x80"),  # the bytes of a surrogate are not UTF-8
    ("invalid_utf8", ".txt", b"\xc0\x80"),
    ("invalid_utf8", ".txt", "é".encode()[:1]),
    ("invalid_utf8", ".jsonl", b'{"text": "\xff"}'),
    ("lone_surrogate", ".jsonl", b'{"text": "a \\ud83d b"}'),
    ("lone_surrogate", ".jsonl", b'{"text": "\\udc00", "key": "k"}'),
    ("line_too_long", ".txt", LONG),
    ("line_too_long", ".txt", LONG * 3),
    ("line_too_long", ".jsonl", b'{"text": "' + LONG + b'"}'),
    ("too_many_tokens", ".txt", b"w " * 6),
    ("too_many_tokens", ".txt", b"a,b,c,d"),
    ("too_many_tokens", ".jsonl", b'{"text": "a b c d e f", "key": 5}'),
    ("not_json", ".jsonl", b"plain text"),
    ("not_json", ".jsonl", b'{"text": "a"'),
    ("not_json", ".jsonl", b'{"text": "a"} {"text": "b"}'),
    ("not_json", ".jsonl", b"[" * 100_000),
    ("not_an_object", ".jsonl", b'"text"'),
    ("not_an_object", ".jsonl", b'["text"]'),
    ("not_an_object", ".jsonl", b"null"),
    ("not_an_object", ".jsonl", b"12"),
    ("missing_field", ".jsonl", b"{}"),
    ("missing_field", ".jsonl", b'{"Text": "a", "key": "k"}'),
    ("not_a_string", ".jsonl", b'{"text": 1}'),
    ("not_a_string", ".jsonl", b'{"text": ["a"], "key": "k"}'),
    ("not_a_string", ".jsonl", b'{"text": false}'),
    ("null_text", ".jsonl", b'{"text": null}'),
    ("null_text", ".jsonl", b'{"key": "k", "text": null}'),
]
IDS = {b'"k"': "k", b'"key": 5': "5"}


def run_shard(path: str, **changes: Any) -> tuple[str, list[SentenceBlock]]:
    """The normalized blocks of a shard, and its path."""
    run = make_settings(id_field="key", max_tokens=5, **changes)
    return path, [normalized(block, run) for block in read_shard(path, run)[1]]


@pytest.mark.parametrize(("reason", "suffix", "line"), CASES)
@pytest.mark.parametrize("compression", ["", ".gz"])
def test_a_bad_line_is_kept_with_its_reason_and_costs_no_neighbour(
    tmp_path: Path, reason: str, suffix: str, line: bytes, compression: str
) -> None:
    before, after = b"one before", b"one after"
    if suffix == ".jsonl":
        before, after = b'{"text": "one before"}', b'{"text": "one after"}'
    data = b"\n".join([before, line, after])
    path, blocks = run_shard(write_shard(tmp_path / f"a{suffix}{compression}", data))
    rejects = [reject for block in blocks for reject in block.rejects]
    known = [kept for mark, kept in IDS.items() if mark in line]
    assert rejects == [
        {
            "shard": path,
            "line": 1,
            "offset": len(before) + 1,
            "reason": reason,
            "id": known[0] if known else None,
            "length": len(line),
            "raw": base64.b64encode(line[:HEAD]).decode(),
        }
    ]
    rows = [row for block in blocks for row in rows_of(block)]
    assert [(r["line"], r["text"]) for r in rows] == [(0, "one before"), (2, "one after")]
    assert sum(block.total("embedded") for block in blocks) == 2
    assert sum(block.total("blank") for block in blocks) == 0
    assert [block.rejected for block in blocks if block.rejects] == [{reason: 1}]


def test_parquet_rows_are_rejected_with_their_ids(tmp_path: Path) -> None:
    texts = [b"good one", None, b"\xff", LONG, b"a b c d e f", b"", b"good two"]
    keys = list("abcdefg")
    pq.write_table(pa.table({"text": texts, "key": keys}), tmp_path / "a.parquet")
    _, blocks = run_shard(str(tmp_path / "a.parquet"))
    rejects = [reject for block in blocks for reject in block.rejects]
    found = [(r["line"], r["offset"], r["reason"], r["id"], r["length"]) for r in rejects]
    assert found == [
        (1, 1, "null_text", "b", 0),
        (2, 2, "invalid_utf8", "c", 1),
        (3, 3, "line_too_long", "d", LIMIT + 1),
        (4, 4, "too_many_tokens", "e", 11),
    ]
    assert [base64.b64decode(r["raw"]) for r in rejects] == [b"", b"\xff", LONG[:HEAD], texts[4]]
    rows = [row for block in blocks for row in rows_of(block)]
    assert [(r["line"], r["id"]) for r in rows] == [(0, "a"), (6, "g")]
    assert sum(block.total("blank") for block in blocks) == 1


def test_every_reason_is_tested_here() -> None:
    elsewhere = {"bad_id", "bad_field"}  # test_ids.py, test_keep_fields.py
    elsewhere |= {"bad_columns", "bad_ids", "bad_quotes"}  # test_conllu_records.py, test_csv.py
    assert {reason for reason, _, _ in CASES} | elsewhere == set(REASONS)


def test_without_an_id_asked_for_rejects_have_none() -> None:
    [reject] = normalized(raw_block([b"\xff"]), make_settings()).rejects
    assert list(reject) == ["shard", "line", "offset", "reason", "length", "raw"]


def test_no_more_than_64_kib_of_a_line_is_kept() -> None:
    line = b"\xff" * (HEAD + 1)
    [reject] = normalized(raw_block([line]), make_settings()).rejects
    assert reject["length"] == HEAD + 1
    assert base64.b64decode(reject["raw"]) == line[:HEAD]


def test_rejects_are_json_whatever_the_line_held() -> None:
    lines = [b"\xff\x00", b'{"text": 1, "key": ["\\ud800\\n"]}', b'{"key": {"\\udfff": 1}}']
    block = normalized(raw_block(lines, shard="/in/a.jsonl"), make_settings(id_field="key"))
    kept = [json.loads(json.dumps(reject)) for reject in block.rejects]
    assert [r["id"] for r in kept] == [None, r'["\ud800\n"]', '{"\\udfff": 1}']


@pytest.mark.parametrize("shard", ["/in/a.txt", "/in/a.jsonl"])
@pytest.mark.parametrize(
    "line", [b"", b" ", b"\t\r", "\u2003\u2028".encode(), b"\x0b\x0c\x1c\x85"[:3]]
)
def test_a_line_of_white_space_is_blank_and_not_rejected(shard: str, line: bytes) -> None:
    block = normalized(raw_block([line], shard=shard), make_settings())
    assert (block.total("embedded"), block.total("blank"), block.rejects, len(block)) == (
        0,
        1,
        [],
        0,
    )


def test_a_line_of_control_characters_is_blank() -> None:
    block = normalized(raw_block([b"\x00\x01", b"\x7f"]), make_settings())
    assert (block.total("embedded"), block.total("blank")) == (0, 2)
