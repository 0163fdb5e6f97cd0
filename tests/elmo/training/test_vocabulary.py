"""The words that are predicted, and the softmax beside a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.training.vocabulary import (
    read_softmax,
    softmax_bytes,
    target_ids,
    vocabulary_of,
)
from tests.helpers.command import SMALL

SPECIAL = ["<S>", "</S>", "<UNK>"]


def test_words_are_in_order_of_falling_frequency() -> None:
    tokens = ["rare", "often", "twice", "also", "never", "a\nline", "<S>"]
    counts = np.array([1, 3, 2, 2, 0, 4, 1])
    assert vocabulary_of(tokens, counts, 100) == [*SPECIAL, "often", "twice", "also", "rare"]
    assert vocabulary_of(tokens, counts, 5) == [*SPECIAL, "often", "twice"]


def test_targets_of_unknown_words() -> None:
    assert target_ids(["b", "a", "x", "<UNK>"], [*SPECIAL, "a", "b"]).tolist() == [4, 3, 2, 2]


def write(folder: Path, words: list[str], rows: int | None = None) -> None:
    n = len(words) if rows is None else rows
    w = np.arange(n * SMALL.projection_dim, dtype=np.float32).reshape(n, -1)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    (folder / "softmax.hdf5").write_bytes(softmax_bytes(w, np.arange(n, dtype=np.float32)))


def test_a_softmax_comes_back(tmp_path: Path) -> None:
    words = [*SPECIAL, "naïve", "\u2028", "a\rb", "x y"]
    write(tmp_path, words)
    got, w, b = read_softmax(tmp_path, SMALL)
    assert got == words
    assert w.shape == (7, SMALL.projection_dim) and w.ravel()[-1] == w.size - 1
    assert b.tolist() == list(range(7))


@pytest.mark.parametrize("missing", ["vocab.txt", "softmax.hdf5"])
def test_a_model_without_one(tmp_path: Path, missing: str) -> None:
    write(tmp_path, SPECIAL)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match=f"has no {missing}"):
        read_softmax(tmp_path, SMALL)


def test_a_damaged_one(tmp_path: Path) -> None:
    write(tmp_path, SPECIAL)
    (tmp_path / "softmax.hdf5").write_bytes(b"\x89HDF")
    with pytest.raises(UserError, match=r"cannot read .*softmax\.hdf5"):
        read_softmax(tmp_path, SMALL)


@pytest.mark.parametrize("fault", ["words", "values"])
def test_one_that_cannot_be_right(tmp_path: Path, fault: str) -> None:
    write(tmp_path, ["the", *SPECIAL] if fault == "words" else SPECIAL)
    if fault == "values":
        w = np.full((3, SMALL.projection_dim), np.nan, np.float32)
        (tmp_path / "softmax.hdf5").write_bytes(softmax_bytes(w, np.zeros(3, np.float32)))
    problem = "must begin with <S>, </S>, <UNK>" if fault == "words" else "not finite"
    with pytest.raises(UserError, match=problem):
        read_softmax(tmp_path, SMALL)


def test_one_of_another_model(tmp_path: Path) -> None:
    write(tmp_path, SPECIAL, rows=9)
    with pytest.raises(UserError, match="not from the same model"):
        read_softmax(tmp_path, SMALL)
