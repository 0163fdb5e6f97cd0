"""Runs of given words, through the command line and from Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import elmo_beam as package
from elmo_beam.elmo.errors import ArgumentError
from tests.helpers.command import Job, elmo_beam, random_lines
from tests.helpers.refusal import refused

OUTPUTS = ("--outputs", "elmo,lstm_outputs2,default")
TEXT = b"""The bank of the river.
Money in the bank. The old man.

A dog barked.
Bad \xff bytes.
The Bank and the old man, and the old man again.
"""
WORDS = "bank\nold man\nzebra\nthe old\n\nbank\n"


@pytest.fixture
def words(job: Job) -> Path:
    """A list of words, and text that has some of them."""
    job.file("a.txt", TEXT)
    path = job.folder / "words.txt"
    path.write_text(WORDS)
    return path


def test_a_run_has_a_row_for_each_occurrence(job: Job, words: Path) -> None:
    ran = job.embed("--words", words, *OUTPUTS).succeeds()
    assert re.search(r"passed over +1  \(1 sentence without any of the words\)", ran.out)
    rows = job.rows().to_pylist()
    assert [(r["line"], r["position"], r["word"], r["token"]) for r in rows] == [
        (0, 1, "bank", "bank"),
        (1, 3, "bank", "bank"),
        (1, 6, "old man", "old man"),
        (5, 3, "the old", "the old"),
        (5, 4, "old man", "old man"),
        (5, 8, "the old", "the old"),
        (5, 9, "old man", "old man"),
    ]
    manifest = json.loads((job.out / "manifest.json").read_text())
    counts = {n: manifest[n] for n in ("lines", "embedded", "blank", "passed_over", "rejected")}
    assert counts == {
        "lines": 6, "embedded": 3, "blank": 1, "passed_over": 1, "rejected": {"invalid_utf8": 1}
    }  # fmt: skip
    assert elmo_beam("verify", job.out).succeeds()


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_vectors_are_those_of_the_whole_run(job: Job, words: Path, form: str) -> None:
    job.file("b.txt", random_lines(200, seed=3) + "the old man at the bank\n")
    flags = (*OUTPUTS, "--block_size", "2k", "--format", form)
    job.embed("--words", words, "--word_case", "fold", *flags).succeeds()
    whole = Job(job.folder, job.model, "whole")
    whole.embed(*OUTPUTS, "--block_size", "2k").succeeds()
    sentences = {(r["shard"], r["offset"], r["sentence"]): r for r in whole.rows().to_pylist()}
    seen = 0
    for table in package.open_run(job.out).tables():
        for row in table.to_pylist():
            own = sentences[row["shard"], row["offset"], row["sentence"]]
            span = slice(row["position"], row["position"] + len(row["word"].split()))
            assert row["token"] == " ".join(own["tokens"][span])
            assert row["token"].casefold() == row["word"]
            want = np.array(own["elmo"])[span].mean(axis=0)
            np.testing.assert_allclose(row["elmo"], want, rtol=0, atol=1e-5)
            np.testing.assert_allclose(row["default"], own["default"], rtol=0, atol=1e-5)
            seen += 1
    assert seen == json.loads((job.out / "manifest.json").read_text())["rows"] > 8


def test_readers_and_the_file_of_vectors(job: Job, words: Path) -> None:
    job.embed("--words", words, *OUTPUTS).succeeds()
    run = package.open_run(job.out)
    found = package.word_vectors(run, "elmo")
    assert list(found) == ["bank", "old man", "zebra", "the old"]
    assert [len(vectors) for vectors in found.values()] == [2, 3, 0, 2]
    package.save_word_vectors(run, job.folder / "words.npz", "elmo")
    with np.load(job.folder / "words.npz") as saved:
        assert sorted(saved) == sorted(found)
        for word, vectors in found.items():
            np.testing.assert_array_equal(saved[word], vectors)
    vectors, offsets = run.arrays("elmo")
    assert len(vectors) == 7 and offsets.tolist() == list(range(8))
    batch = next(iter(package.tf_dataset(run, "elmo", 7)))
    np.testing.assert_array_equal(batch.numpy(), vectors)
    with refused("`path`", job.folder / "no" / "words.npz"):
        package.save_word_vectors(run, job.folder / "no" / "words.npz", "elmo")
    with refused("output", kind=ArgumentError):
        package.word_vectors(run, "word_emb")


def test_a_reader_of_words_refuses_a_run_without_a_list(job: Job, words: Path) -> None:
    job.embed()
    with refused("`run`", "words", kind=ArgumentError):
        package.word_vectors(package.open_run(job.out), "elmo")


def test_the_list_is_part_of_the_run(job: Job, words: Path) -> None:
    job.embed("--words", words).succeeds()
    words.write_text(WORDS + "river\n")
    job.embed("--words", words).refuses("words")
    job.embed().refuses("words")
    words.write_text(WORDS)
    job.embed("--words", words).succeeds()


def test_plan_says_what_would_be_found(job: Job, words: Path) -> None:
    ran = elmo_beam("plan", "--input", job.folder / "in" / "a.txt", "--words", words).succeeds()
    assert "passed over" in ran.out and "1 line, 1 sentence in all" in ran.out
    assert "7 of 3 of 4 words" in ran.out
    assert "never found          zebra" in ran.out


def test_inspect_and_the_report(job: Job, words: Path) -> None:
    job.embed("--words", words, *OUTPUTS).succeeds()
    shown = elmo_beam("inspect", job.out, "--word", "bank").succeeds().out
    assert "bank: 2 uses" in shown and "[bank]" in shown
    elmo_beam("report", job.out).succeeds()
    page = (job.out / "report.html").read_text()
    assert "occurrences" in page and "passed over" in page


def test_verify_finds_rows_that_do_not_belong(job: Job, words: Path) -> None:
    job.embed("--words", words).succeeds()
    (part,) = (job.out / "parts").iterdir()
    (accounts,) = (job.out / "blocks").iterdir()
    table = pq.read_table(part)
    for spoilt in (table.slice(0, 6), table.take([1, 0, 2, 3, 4, 5, 6])):
        pq.write_table(spoilt, part)
        from elmo_beam.transforms.write import file_digest

        size, sha256 = file_digest(str(part))
        document = json.loads(accounts.read_text()) | {"bytes": size, "sha256": sha256}
        accounts.write_text(json.dumps(document))
        assert elmo_beam("verify", job.out).code == 1


@pytest.mark.parametrize("text", ["", "\n \n", None, b"\xff"])
def test_what_is_no_list(job: Job, text: str | bytes | None) -> None:
    job.file("a.txt", TEXT)
    path = job.folder / "words.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    job.embed("--words", path).refuses("words", path, code=2)


def test_what_contradicts_a_list(job: Job, words: Path) -> None:
    flags = ("--format", "tfrecord", "--max_tokens", "9", "--pad_to", "9")
    job.embed("--words", words, *flags).refuses("--pad_to", "--words", code=2)


def test_a_context_instead_of_the_sentence(job: Job, words: Path) -> None:
    job.file("b.txt", random_lines(30, seed=4) + "the bank again\n" * 3)
    job.embed("--words", words, "--context", "2", *OUTPUTS).succeeds()
    rows = job.rows().to_pylist()
    assert (rows[1]["left"], rows[1]["token"], rows[1]["right"]) == (
        ["in", "the"],
        "bank",
        [".", "The"],
    )
    assert job.verify().code == 0
    shown = elmo_beam("inspect", job.out, "--word", "bank").succeeds().out
    assert "bank: 5 uses" in shown and "  the [bank] again" in shown
    elmo_beam("inspect", job.out).succeeds()
    elmo_beam("report", job.out).succeeds()
    assert 'aria-label="bank: in the bank . The"' in (job.out / "report.html").read_text()
    job.embed("--words", words, "--context", "3", *OUTPUTS).refuses("--context 2, now 3")
    assert len(package.word_vectors(package.open_run(job.out), "elmo")["bank"]) == 5


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--context", "2"), "--words"),
        (("--words", "{words}", "--context", "-1"), "-1"),
        (("--words", "{words}", "--context", "2", "--format", "tfrecord"), "--format"),
    ],
)
def test_a_context_that_would_have_no_effect(
    job: Job, words: Path, flags: tuple[str, ...], named: str
) -> None:
    job.embed(*(flag.format(words=words) for flag in flags)).refuses("context", named, code=2)
