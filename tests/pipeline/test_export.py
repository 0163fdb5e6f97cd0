"""`export`: files of vectors that other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import elmo_beam as package
from tests.helpers.command import Job, elmo_beam, files_of

# Letters that some programs take for white space or for the end of a line, within words.
ODD = ["zero\u200bwidth", "joi\u2060ner", "\ufeffbom", "mongol\u180e", "soft\u00adhyphen", "日本"]


@pytest.fixture
def pooled(job: Job) -> Job:
    """A run of two outputs, with an entry of two tokens and some odd ones."""
    job.file("a.txt", "the old man and the bank\n" + " ".join(ODD) + "\nthe bank " * 3)
    words = job.folder / "words.txt"
    words.write_text("\n".join(["the", "old man", "none", "bank", *ODD]))
    job.embed(
        "--pool", "word", "--words", words, "--tokenizer", "whitespace", "--outputs", "elmo,default"
    ).succeeds()  # fmt: skip
    return job


def parsed(text: str, words: list[str]) -> np.ndarray:
    """The numbers of a file, whose lines begin with these words."""
    lines = text.removesuffix("\n").split("\n")
    rows = [line.split(" ") for line in lines]
    assert [row[0] for row in rows] == words
    # As the readers do that split at any white space, or take other line ends too.
    assert rows == [line.split() for line in lines]
    assert lines == text.splitlines()
    return np.array([row[1:] for row in rows], np.float32)


@pytest.mark.parametrize("name", ["elmo", "default"])
def test_both_formats_give_the_means_again(pooled: Job, name: str) -> None:
    run = package.open_run(pooled.out)
    found = package.pooled_words(run)
    words = [word.replace(" ", "_") for word in found["word"].to_pylist()]
    assert words[:3] == ["the", "old_man", "bank"] and len(words) == 3 + len(ODD)
    means = np.array(found[f"{name}_mean"].to_pylist(), np.float32)
    file = pooled.folder / "vectors.txt"
    ran = elmo_beam("export", pooled.out, "--output", file, "--vectors", name).succeeds()
    assert f"{len(words)} words, 8 numbers each, word2vec" in ran.out
    header, rest = file.read_text().split("\n", 1)
    assert header == f"{len(words)} 8"
    np.testing.assert_array_equal(parsed(rest, words), means)
    flags = ("--output", file, "--vectors", name, "--format", "glove")
    elmo_beam("export", pooled.out, *flags).succeeds()
    assert file.read_text() == rest
    assert {path.name for path in pooled.folder.iterdir()} == {
        "in", "out", "vectors.txt", "words.txt"
    }  # fmt: skip


def test_what_cannot_be_exported(pooled: Job) -> None:
    file = pooled.folder / "vectors.txt"
    to = ("--output", file)
    elmo_beam("export", pooled.out).refuses("--output", code=2)
    elmo_beam("export", pooled.out, *to).refuses("--vectors", "elmo, default", code=2)
    elmo_beam("export", pooled.out, *to, "--vectors", "word_emb").refuses("--vectors", code=2)
    elmo_beam("export", pooled.folder, *to).refuses("not a run")
    elmo_beam("export", pooled.out, "--output", "/proc/x", "--vectors", "elmo").refuses("/proc")
    (pooled.out / "_SUCCESS").unlink()
    elmo_beam("export", pooled.out, *to, "--vectors", "elmo").refuses("not complete")
    pooled.embed("--overwrite").succeeds()
    elmo_beam("export", pooled.out, *to).refuses("--pool")
    assert not file.exists()


def test_entries_that_would_look_alike(job: Job, tmp_path: Path) -> None:
    job.file("a.txt", "an old man an old_man\n")
    words = tmp_path / "words.txt"
    words.write_text("old man\nold_man\n")
    job.embed("--pool", "word", "--words", words, "--tokenizer", "whitespace").succeeds()
    file = tmp_path / "vectors.txt"
    file.write_text("older")
    elmo_beam("export", job.out, "--output", file).refuses("'old man' and 'old_man'", "'old_man'")
    assert file.read_text() == "older"


def test_the_run_is_left_as_it_is(pooled: Job) -> None:
    before = files_of(pooled.out)
    file = pooled.out.parent / "vectors.txt"
    elmo_beam("export", pooled.out, "--output", file, "--vectors", "elmo").succeeds()
    assert files_of(pooled.out) == before
