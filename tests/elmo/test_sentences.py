"""Columnar sentences are the lists that they were made from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.sentences import Sentences
from tests.helpers.oracle import ANY_CHARACTER

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
def test_some_of_the_sentences_and_their_own_words_only(
    text: list[list[str]], data: st.DataObject
) -> None:
    rows = data.draw(st.permutations(range(len(text))))[: data.draw(st.integers(0, len(text)))]
    sentences, wanted = Sentences.from_lists(text), [text[i] for i in rows]
    part = sentences.take(np.array(rows, np.int64))
    for some in (part, part.trimmed()):
        assert some.to_lists() == wanted
        assert len(some) == len(rows)
        assert some.offsets[0] == 0
        assert (some.ids.dtype, some.offsets.dtype) == (np.int32, np.int64)
    own = {t for tokens in wanted for t in tokens}
    assert sorted(part.trimmed().vocabulary) == sorted(own)
    positions = sentences.positions(np.array(rows, np.int64))
    words = [sentences.vocabulary[i] for i in sentences.ids[positions]]
    assert words == [token for tokens in wanted for token in tokens]
