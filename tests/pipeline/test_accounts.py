"""lines = embedded + blank + rejected, whatever the lines are; JSON Lines and Parquet too."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers.command import Job

MEGABYTE = 1 << 20


def balanced(job: Job) -> bool:
    """Whether the manifest's accounts add up, in all and for each shard."""
    accounts = [job.manifest(), *job.manifest()["shards"]]
    return all(
        a["lines"] == a["embedded"] + a["blank"] + sum(a["rejected"].values()) for a in accounts
    )


def test_garbage_among_good_lines_costs_none_of_them(job: Job) -> None:
    rng = random.Random(7)
    kinds = [
        lambda: rng.randbytes(rng.randrange(1, 60)).replace(b"\n", b"x"),
        lambda: b"a\0b \0",
        lambda: bytes(rng.randrange(1, 32) for _ in range(20)).replace(b"\n", b"x"),
        lambda: b"w " * rng.randrange(1, 200),
        lambda: b"dos line\r",
        lambda: "a\u2028b".encode(),
        lambda: b"  ",
        lambda: b"\xef\xbb\xbfx",
        lambda: b"\xed\xa0\x80",
    ]
    lines = [
        b"good line number %d ." % i if rng.random() < 0.5 else rng.choice(kinds)()
        for i in range(3000)
    ]
    job.file("a.txt", b"\n".join(lines) + b"\n")
    job.embed("--outputs", "default", "--block_size", "16k").succeeds()
    rows = job.rows()
    good = [i for i, line in enumerate(lines) if line.startswith(b"good")]
    numbers = {r["line"]: r["text"] for r in rows.select(["line", "text"]).to_pylist()}
    assert [numbers.get(i) for i in good] == [lines[i].decode() for i in good]
    manifest = job.manifest()
    assert manifest["lines"] == len(lines)
    assert balanced(job)
    assert manifest["rows"] == len(rows) == manifest["embedded"]
    rejects = job.rejects()
    assert Counter(r["reason"] for r in rejects) == manifest["rejected"]
    assert {r["line"] for r in rejects} & set(numbers) == set()
    assert all(base64.b64decode(r["raw"]) == lines[r["line"]] for r in rejects)
    assert job.verify().code == 0


def test_a_line_too_long_to_hold_is_rejected_with_its_head(job: Job) -> None:
    long, just = b"x" * (10 * MEGABYTE), b"y" * MEGABYTE
    job.file("a.txt", b"\n".join([b"before", long, just, just + b"y", b"after"]))
    job.embed("--outputs", "default", "--tokenizer", "whitespace").succeeds()
    assert job.rows()["line"].to_pylist() == [0, 2, 4]
    (first, second) = job.rejects()
    assert (first["reason"], first["line"], first["length"]) == ("line_too_long", 1, len(long))
    assert base64.b64decode(first["raw"]) == b"x" * (64 << 10)
    assert (second["line"], second["length"]) == (3, MEGABYTE + 1)
    assert balanced(job)


def test_a_line_of_100000_tokens_costs_its_neighbours_nothing(job: Job) -> None:
    job.file("a.txt", "one\n" + "word " * 100_000 + "\ntwo three\n")
    job.embed("--outputs", "default").succeeds()
    assert job.rows()["line"].to_pylist() == [0, 2]
    assert job.manifest()["rejected"] == {"too_many_tokens": 1}


def test_sentences_of_too_many_tokens_are_cut_or_split_where_asked(job: Job) -> None:
    many = " ".join(["word"] * 1000)
    job.file("a.txt", f"one\n{many}\ntwo three\n")
    flags = ("--outputs", "default", "--max_tokens", 400)
    job.embed(*flags, "--long_sentences", "truncate").succeeds()
    rows = job.rows()
    assert rows["num_tokens"].to_pylist() == [1, 400, 2]
    assert rows["truncated"].to_pylist() == [False, True, False]
    assert rows["text"][1].as_py() == many  # uncut
    job.embed(*flags, "--long_sentences", "split", "--overwrite").succeeds()
    rows = job.rows()
    assert rows["num_tokens"].to_pylist() == [1, 400, 400, 200, 2]
    assert rows["sentence"].to_pylist() == [0, 0, 1, 2, 0]
    assert rows["line"].to_pylist() == [0, 1, 1, 1, 2]
    assert (job.manifest()["embedded"], job.manifest()["rows"]) == (3, 5)
    assert balanced(job)


def test_a_line_of_several_sentences_is_embedded_or_rejected_whole(job: Job) -> None:
    job.file("a.txt", "One bank. Two banks.\nShort. This one is too long to take.\n")
    job.embed("--split_sentences", "--max_tokens", 4).succeeds()
    rows = job.rows()
    assert rows["text"].to_pylist() == ["One bank.", "Two banks."]
    assert rows["sentence"].to_pylist() == [0, 1]
    manifest = job.manifest()
    assert (manifest["lines"], manifest["embedded"], manifest["rows"]) == (2, 1, 2)
    assert manifest["rejected"] == {"too_many_tokens": 1}


def test_json_lines_with_ids_and_a_reject_of_every_kind(job: Job) -> None:
    lines = [
        b'{"body": "One bank.", "key": "k0"}',
        b'{"body": "two", "key": 17}',
        b'{"body": "three"}',
        b"not json",
        b"[1, 2]",
        b'{"text": "elsewhere", "key": "k5"}',
        b'{"body": 5, "key": "k6"}',
        b'{"body": null, "key": "k7"}',
        rb'{"body": "a \ud800 b", "key": "k8"}',
        b'{"body": "\xff", "key": "k9"}',
        b'{"body": "  ", "key": "k10"}',
        b"",
        b'{"body": "last", "key": {"a": [1]}}',
    ]
    path = job.file("a.jsonl", b"\n".join(lines) + b"\n")
    job.embed("--text_field", "body", "--id_field", "key").succeeds()
    rows = job.rows()
    assert rows.schema.names[4] == "id" and rows.schema.field("id").type == pa.string()
    assert rows["line"].to_pylist() == [0, 1, 2, 12]
    assert rows["text"].to_pylist() == ["One bank.", "two", "three", "last"]
    assert rows["id"].to_pylist() == ["k0", "17", None, '{"a": [1]}']
    reasons = {
        3: ("not_json", None),
        4: ("not_an_object", None),
        5: ("missing_field", "k5"),
        6: ("not_a_string", "k6"),
        7: ("null_text", "k7"),
        8: ("lone_surrogate", "k8"),
        9: ("invalid_utf8", None),
    }
    rejects = job.rejects()
    assert {r["line"]: (r["reason"], r["id"]) for r in rejects} == reasons
    for r in rejects:
        assert r["shard"] == str(path)
        assert r["offset"] == sum(len(line) + 1 for line in lines[: r["line"]])
        assert r["length"] == len(lines[r["line"]])
        assert base64.b64decode(r["raw"]) == lines[r["line"]]
    manifest = job.manifest()
    assert (manifest["lines"], manifest["embedded"], manifest["blank"]) == (13, 4, 2)
    assert balanced(job)


def write_parquet(job: Job, name: str, table: pa.Table, rows: int = 1000) -> Path:
    """A Parquet shard with row groups of so many rows."""
    path = job.file(name, b"")
    pq.write_table(table, path, row_group_size=rows)
    return path


def test_parquet_rows_with_nulls_blanks_and_ids_of_any_type(job: Job) -> None:
    texts = ["One bank.", None, " ", "two", "x " * MEGABYTE]
    ids = {
        "int": pa.array([10, 11, 12, 13, 14]),
        "date": pa.array([date(2020, 1, day) for day in range(1, 6)]),
        "binary": pa.array([b"a", b"b", b"c", b"d", b"e"]),
        "null": pa.array(["x", "y", None, None, "z"]),
    }
    for name, values in ids.items():
        write_parquet(job, f"{name}.parquet", pa.table({"id": values, "body": texts}))
    flags = ("--text_column", "body", "--id_field", "id", "--outputs", "default")
    job.embed(*flags).succeeds()
    rows = job.rows().to_pylist()
    found = {
        kind: [r["id"] for r in rows if r["shard"].endswith(f"/{kind}.parquet")] for kind in ids
    }
    assert found == {
        "int": ["10", "13"],
        "date": ["2020-01-01", "2020-01-04"],
        "binary": ["a", "d"],
        "null": ["x", None],
    }
    assert {(r["line"], r["offset"]) for r in rows} == {(0, 0), (3, 3)}  # offset: the row
    rejects = [r for r in job.rejects() if r["shard"].endswith("/int.parquet")]
    assert [(r["line"], r["reason"], r["id"]) for r in rejects] == [
        (1, "null_text", "11"),
        (4, "line_too_long", "14"),
    ]
    assert balanced(job)
    assert job.manifest()["blank"] == 4


def test_parquet_in_many_blocks_and_row_groups_keeps_every_row(job: Job) -> None:
    texts = [f"row {i} " + "word " * (i % 40) for i in range(3000)]
    dictionary = pa.array([f"kind {i % 7}" for i in range(3000)]).dictionary_encode()
    write_parquet(job, "a.parquet", pa.table({"text": texts, "id": range(3000)}), 777)
    write_parquet(job, "b.parquet", pa.table({"text": dictionary, "id": range(3000)}), 777)
    flags = ("--outputs", "default", "--block_size", "8k", "--id_field", "id")
    job.embed(*flags, "--tokenizer", "whitespace").succeeds()
    rows = job.rows().to_pylist()
    for name, wanted in (("a", [t.strip() for t in texts]), ("b", dictionary.to_pylist())):
        mine = [r for r in rows if r["shard"].endswith(f"{name}.parquet")]
        assert [r["text"] for r in mine] == wanted
        assert [r["id"] for r in mine] == [str(i) for i in range(3000)]
        assert [r["line"] for r in mine] == list(range(3000))
    assert len(list((job.out / "parts").iterdir())) > 10


def test_a_pretty_printed_document_is_damaged_and_lines_that_are_no_json_are_rejected(
    job: Job,
) -> None:
    job.file("a.json", json.dumps({"text": "One bank."}, indent=1) + "\n")
    job.file("b.json", "One bank.\nTwo banks.\n")
    ran = job.embed()
    ran.refuses("a.json is one JSON document", "JSON Lines")
    assert job.manifest()["rejected"] == {"not_json": 2}
    assert "b.json is embedded (not_json): check the flags" in ran.out
    assert balanced(job)
