"""Batches: each sentence once, similar lengths together, no padding among the targets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.training.batches import Batch, BatchMaker, epoch_of_batches
from tests.helpers.command import SMALL
from tests.helpers.oracle import BEGIN_SENTENCE, END_SENTENCE, PADDING, characters_of

VOCABULARY = ["<S>", "</S>", "<UNK>", "a", "bb", "ccc"]
words = st.sampled_from(["a", "bb", "ccc", "unknown", "é", "x" * 60])
corpora = st.lists(st.lists(words, min_size=1, max_size=9), min_size=1, max_size=12)


def maker(sentences: list[list[str]], options: ModelOptions = SMALL) -> BatchMaker:
    return BatchMaker(Sentences.from_lists(sentences), VOCABULARY, options)


def token_at(batch: Batch, direction: int, step: int, sentence: int) -> list[int]:
    """The character ids of one input, without padding."""
    row = batch.characters[batch.tokens[direction, step, sentence]]
    return [int(c) for c in row if c != PADDING]


def test_a_batch_by_hand() -> None:
    batch = maker([["a", "new", "bb"], ["ccc"]]).batch(np.array([1, 0]))
    assert batch.tokens.shape == (2, 4, 2)
    c = {w: characters_of(w, 50) for w in ("a", "new", "bb", "ccc")}
    forward = [[BEGIN_SENTENCE, c["ccc"]], [BEGIN_SENTENCE, c["a"], c["new"], c["bb"]]]
    backward = [[END_SENTENCE, c["ccc"]], [END_SENTENCE, c["bb"], c["new"], c["a"]]]
    for direction, want in enumerate((forward, backward)):
        for sentence, tokens in enumerate(want):
            for step, characters in enumerate(tokens):
                assert token_at(batch, direction, step, sentence) == characters
    # Flat in steps × sentences: both sentences' first two steps, then the longer one's.
    assert batch.positions.tolist() == [0, 1, 2, 3, 5, 7]
    assert batch.targets.tolist() == [[5, 3, 1, 2, 4, 1], [5, 4, 0, 2, 3, 0]]


@given(corpora)
def test_every_prediction_is_of_the_next_token(sentences: list[list[str]]) -> None:
    batch = maker(sentences).batch(np.arange(len(sentences)))
    index = {word: i for i, word in enumerate(VOCABULARY)}
    n = len(sentences)
    assert len(batch) == sum(len(s) + 1 for s in sentences)
    for position, targets in zip(batch.positions, batch.targets.T, strict=True):
        step, sentence = divmod(int(position), n)
        tokens = sentences[sentence]
        for direction, (own, end) in enumerate(((tokens, 1), (tokens[::-1], 0))):
            want = index.get(own[step], 2) if step < len(own) else end
            assert targets[direction] == want
            begin = END_SENTENCE if direction else BEGIN_SENTENCE
            before = characters_of(own[step - 1], 50) if step else begin
            assert token_at(batch, direction, step, sentence) == before


@given(corpora)
def test_characters_are_as_wide_as_the_longest_word_needs(sentences: list[list[str]]) -> None:
    batch = maker(sentences).batch(np.arange(len(sentences)))
    longest = max(len(characters_of(w, 50)) for s in sentences for w in s)
    assert batch.characters.shape[1] == min(50, max(longest, 3) + 2)  # 2: the widest filter
    assert len(batch.characters) == len({w for s in sentences for w in s}) + 2


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(1, 60),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_an_epoch_has_every_sentence_once(lengths: list[int], size: int, seed: int | None) -> None:
    sizes = np.array(lengths)
    chosen = np.arange(0, len(lengths), 2)
    key = None if seed is None else (seed,)
    batches = list(epoch_of_batches(sizes, chosen, size, key))
    assert sorted(np.concatenate(batches)) == chosen.tolist()
    for batch in batches:
        assert len(batch) == 1 or len(batch) * (sizes[batch].max() + 1) <= size
    again = list(epoch_of_batches(sizes, chosen, size, key))
    assert [b.tolist() for b in again] == [b.tolist() for b in batches]


def test_another_seed_gives_other_batches() -> None:
    lengths = np.full(500, 5)
    first, second = (
        np.concatenate(list(epoch_of_batches(lengths, np.arange(500), 60, (1, epoch))))
        for epoch in (0, 1)
    )
    assert (first != second).any()


def test_batches_are_of_sentences_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 2000)
    steps = sum(
        len(b) * (lengths[b].max() + 1)
        for b in epoch_of_batches(lengths, np.arange(2000), 2000, (0,))
    )
    assert steps < 1.05 * (lengths + 1).sum()
