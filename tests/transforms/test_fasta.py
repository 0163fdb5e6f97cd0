"""FASTA: residues as SeqVec's authors read them, and what is not FASTA."""

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

TEXT = b""">sp|P69905|HBA_HUMAN Hemoglobin >alpha
MVLs padkt
\tNVK-A*

> a header that begins with a space
MX

>empty
>last
"""


def proteins(*sequences: str) -> bytes:
    return "".join(f">{i}\n{residues}\n" for i, residues in enumerate(sequences)).encode()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("suffix", [".fa", ".fasta", ".faa", ".FASTA"])
def test_residues_are_tokens_and_headers_texts(
    tmp_path: Path, line_end: bytes, suffix: str
) -> None:
    data = TEXT.replace(b"\n", line_end)
    path = write_shard(tmp_path / f"a{suffix}", data)
    headers = (
        "sp|P69905|HBA_HUMAN Hemoglobin >alpha",
        "a header that begins with a space",
        "empty",
        "last",
    )
    ids = ("sp|P69905|HBA_HUMAN", "a", "empty", "last")
    residues = ("MVLSPADKTNVK-A*", "MX", "", "")
    offsets = [
        data.index(b">" + header.encode()[:5]) for header in ("sp|P6", " a he", "empt", "last")
    ]
    wanted = [
        (offset, Record(header, identity, list(sequence)))
        for offset, header, identity, sequence in zip(offsets, headers, ids, residues, strict=True)
    ]
    assert records_of(path, id_field="id") == wanted
    assert all(isinstance(r, Record) and r.identity is None for _, r in records_of(path))


def test_a_header_without_residues_is_blank_and_bytes_that_are_no_text_are_rejected(
    tmp_path: Path,
) -> None:
    path = write_shard(tmp_path / "a.fasta", TEXT + b">bad \xff\nMK\n>NUL\nM\0K\n")
    run = make_settings(id_field="id")
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert (block.total("embedded"), block.total("blank"), block.rejected) == (
        3,
        2,
        {"invalid_utf8": 1},
    )
    rows = rows_of(block)
    assert [(row["line"], row["id"], row["num_tokens"]) for row in rows] == [
        (0, "sp|P69905|HBA_HUMAN", 15),
        (1, "a", 2),
        (5, "NUL", 3),
    ]
    assert rows[1]["text"] == "a header that begins with a space"
    assert rows[2]["tokens"] == ["M", "\0", "K"]


@pytest.mark.parametrize(
    ("changes", "lengths", "rejected"),
    [
        ({}, [50_000], 1),
        ({"max_tokens": 5000}, [], 2),
        ({"max_tokens": 60_000}, [50_000, 50_001], 0),
        ({"max_tokens": 30_000, "long_sentences": "split"}, [30_000, 20_000, 30_000, 20_001], 0),
        ({"long_sentences": "truncate"}, [50_000, 50_000], 0),
        ({"format": "tfrecord", "pad_to": 50_000}, [50_000], 1),
        ({"format": "tfrecord", "pad_to": 6_000, "long_sentences": "truncate"}, [6_000] * 2, 0),
    ],
)
def test_a_protein_may_have_fifty_thousand_residues(
    tmp_path: Path, changes: dict[str, object], lengths: list[int], rejected: int
) -> None:
    path = write_shard(tmp_path / "a.fa", proteins("M" * 50_000, "K" * 50_001))
    run = make_settings(**changes)
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert [row["num_tokens"] for row in rows_of(block)] == lengths
    assert block.rejected == ({"too_many_tokens": rejected} if rejected else {})


@pytest.mark.parametrize("data", [b"", b"\n\r\n \t\n", b"; a comment\n;another", b"\xef\xbb\xbf\n"])
def test_a_file_without_sequences_has_no_lines(tmp_path: Path, data: bytes) -> None:
    plan = make_plan(write_shard(tmp_path / "a.fa", data), make_settings())
    assert (plan.damaged, plan.lines) == (None, 0)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"MKV\n>one\nMK\n", "MKV"),
        (b"\n\n  >one\nMK\n", "  >one"),
        (b"; comment\nMKV\n>a\nM\n", "MKV"),
        (b"@read\nACGT\n+\nIIII\n", "@read"),
        (b"one\ntwo", "one"),
    ],
)
def test_what_is_not_fasta_is_damaged(tmp_path: Path, data: bytes, shown: str) -> None:
    plan = make_plan(write_shard(tmp_path / "a.fasta", data), make_settings())
    assert plan.damaged is not None
    assert plan.damaged.startswith("is not FASTA: ") and repr(shown) in plan.damaged
    assert plan.blocks == []


def test_other_data_under_the_name_are_damaged_as_text_would_be(tmp_path: Path) -> None:
    plan = make_plan(write_shard(tmp_path / "a.fa", ">a\nMK\n".encode("utf-16")), make_settings())
    assert plan.damaged is not None and "UTF-16" in plan.damaged
    path = tmp_path / "cut.fa.gz"
    write_shard(path, proteins("MKVLAAG" * 999))
    path.write_bytes(path.read_bytes()[:60])
    plan = make_plan(str(path), make_settings())
    assert plan.damaged is not None and "cannot be read to its end" in plan.damaged


def test_a_comment_inside_a_sequence_is_no_residue(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.fa", b">a b\nAC\n; from a structure\nD;\r\n;\n-*\n")
    [raw] = read_shard(path, make_settings())[1]
    [row] = rows_of(normalized(raw, make_settings()))
    assert row["tokens"] == list("ACD;-*")
