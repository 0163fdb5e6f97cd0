"""Tokenized text prepared for models."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.preparation import (
    covering_length,
    joined_tokens,
    padded_tokens,
    sentence_length,
)

TRAIN = [["a", "good", "film"], ["no"]]
TEST = [["what", "a", "very", "bad", "one"], []]
corpora = st.lists(st.lists(st.text("ab", min_size=1), max_size=6), min_size=1, max_size=8)


def test_one_length_over_all_data_sets() -> None:
    assert sentence_length([TRAIN, TEST]) == 5
    assert sentence_length([TRAIN]) == 3
    assert sentence_length([TRAIN, TEST], percentile=75) == 3
    assert sentence_length([TRAIN, TEST], percentile=50) == 1
    assert sentence_length([[], []]) == 0


@given(st.lists(st.integers(0, 50), min_size=1), st.floats(0, 100))
def test_a_percentile_is_the_least_that_covers(lengths: list[int], percent: float) -> None:
    length = covering_length(np.array(lengths), percent)
    assert length in lengths
    wanted = len(lengths) * percent / 100
    assert sum(n <= length for n in lengths) >= wanted - 1e-9
    shorter = [n for n in lengths if n < length]
    assert len(shorter) < wanted + 1e-9 or not shorter


def test_padded_and_joined_by_hand() -> None:
    padded = padded_tokens([*TRAIN, []], 2)
    assert padded.tolist() == [["a", "good"], ["no", ""], ["", ""]]
    assert padded.dtype == object
    assert joined_tokens([*TRAIN, []]).tolist() == ["a good film", "no", ""]
    assert joined_tokens(TRAIN, 2).tolist() == ["a good", "no"]


@given(corpora, st.integers(0, 7))
def test_nothing_is_lost_but_what_is_cut(sentences: list[list[str]], length: int) -> None:
    padded = padded_tokens(sentences, length)
    assert padded.shape == (len(sentences), length)
    for row, sentence, joined in zip(
        padded, sentences, joined_tokens(sentences, length), strict=True
    ):
        assert [t for t in row if t] == sentence[:length] == joined.split()
