"""Columnar sentences are the lists that they were made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.preparation import joined_tokens, padded_tokens, sentence_length
from elmo_beam.elmo.sentences import Sentences
from tests.helpers.oracle import ANY_CHARACTER
from tests.helpers.refusal import refused

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


TAKERS: dict[str, Callable[[Any], object]] = {
    "Sentences": Sentences.from_lists,  # behind every encoder
    "padded_tokens": lambda sentences: padded_tokens(sentences, 3),
    "joined_tokens": joined_tokens,
    "sentence_length": lambda sentences: sentence_length([sentences]),
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ("hello world", ("'hello world'", "lists of tokens")),
        (b"hello", ("b'hello'", "lists of tokens")),
        (None, ("None", "lists of tokens")),
        (7, ("7", "lists of tokens")),
        (np.array("a"), ("lists of tokens",)),
        (["hello world"], ("item 0 is 'hello world': ",)),
        ([["a"], "hello world"], ("item 1 is 'hello world': ",)),
        ([["a"], None], ("item 1 is None",)),
        ([["a"], ["b"], 0.5], ("item 2 is 0.5",)),
        ([["a"], ["b", None]], ("item 1 has None",)),
        ([["a"], ["a"], [["a"]]], ("item 2 has ['a']",)),
        ([["a", b"b"]], ("item 0 has b'b'", "give strings")),
        ([["a", 5]], ("item 0 has 5",)),
    ],
)
def test_what_is_not_lists_of_tokens_is_refused(
    take: Callable[[Any], object], wrong: object, parts: tuple[str, ...]
) -> None:
    with refused(*parts, kind=ArgumentError):
        take(wrong)


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_any_collections_of_strings_are_taken(take: Callable[[Any], object]) -> None:
    given: list[Any] = [(("a", "b"), ()), np.array([["a", "b"]]), iter([iter(["a"])]), []]
    for some in given:
        take(some)


def test_one_data_set_in_place_of_several_is_refused() -> None:
    with refused("item 0 is 'a'", "[train, test]", kind=ArgumentError):
        sentence_length([["a", "good"], ["film"]])
    with refused("None", "[train, test]", kind=ArgumentError):
        sentence_length(None)  # type: ignore[arg-type]
