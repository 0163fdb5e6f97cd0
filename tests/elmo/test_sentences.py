"""Columnar sentences are the lists they were made from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elmo.sentences import Sentences
from tests.oracle import ANY_CHARACTER

TEXTS = st.lists(st.lists(st.one_of(st.sampled_from("ab"), st.text(ANY_CHARACTER)), max_size=5))


@given(text=TEXTS)
def test_there_and_back(text: list[list[str]]) -> None:
    sentences = Sentences.from_lists(text)
    assert sentences.to_lists() == text
    assert len(sentences) == len(text)
    assert sentences.lengths.tolist() == [len(tokens) for tokens in text]
    assert sorted(sentences.vocabulary) == sorted({t for tokens in text for t in tokens})
    assert (sentences.ids.dtype, sentences.offsets.dtype) == (np.int32, np.int64)


@given(text=TEXTS, data=st.data())
def test_a_slice_is_those_sentences_with_their_own_words_only(
    text: list[list[str]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    part = Sentences.from_lists(text).slice(start, stop)
    assert part.to_lists() == text[start:stop]
    assert len(part) == stop - start
    assert part.offsets[0] == 0
    assert sorted(part.vocabulary) == sorted({t for tokens in text[start:stop] for t in tokens})
    assert (part.ids.dtype, part.offsets.dtype) == (np.int32, np.int64)
