"""Sentences to batches of like length, ready for the language models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elmo_beam.elmo.model.characters import boundary_ids, character_ids, token_bytes
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.training.vocabulary import BEGIN, END, target_ids

POOL = 200_000  # sentences sorted by length together


@dataclass(frozen=True)
class Batch:
    """Sentences for both directions, padded to the longest one.

    characters: int32 [distinct tokens, characters], <S> and </S> among them.
    tokens: int32 [2, steps, sentences], rows of `characters`: each direction's inputs, from the
    token that begins the sentence in its direction to the last but one.
    positions: int32 [predictions], the places in steps × sentences, flat, that are not padding.
    targets: int32 [2, predictions], the next token at each of them, in the vocabulary.
    """

    characters: np.ndarray
    tokens: np.ndarray
    positions: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


class BatchMaker:
    """Makes batches of a corpus's sentences."""

    def __init__(self, corpus: Sentences, vocabulary: list[str], options: ModelOptions) -> None:
        self._corpus = corpus
        self._max_characters = options.max_characters
        self._widest = max(width for width, _ in options.filters)
        self._bytes = [token_bytes(t, options.max_characters) for t in corpus.vocabulary]
        self._begin, self._end = len(self._bytes), len(self._bytes) + 1
        targets = target_ids(corpus.vocabulary, vocabulary)
        self._targets = np.concatenate([targets, np.array([BEGIN, END], np.int32)])

    def batch(self, which: np.ndarray) -> Batch:
        """A batch of the sentences with these numbers."""
        begins = self._corpus.offsets[which]
        lengths = self._corpus.offsets[which + 1] - begins
        step = np.arange(lengths.max() + 2)[:, np.newaxis]
        inside = (step >= 1) & (step <= lengths)
        ids = self._corpus.ids
        forward = np.where(step == 0, self._begin, self._end) + np.zeros_like(inside, np.int32)
        forward[inside] = ids[(begins + step - 1)[inside]]
        backward = np.where(step == 0, self._end, self._begin) + np.zeros_like(inside, np.int32)
        backward[inside] = ids[(begins + lengths - step)[inside]]
        both = np.stack([forward, backward])
        distinct, rows = np.unique(both, return_inverse=True)
        rows = rows.reshape(both.shape).astype(np.int32)
        positions = np.flatnonzero(step[:-1] <= lengths).astype(np.int32)
        targets = self._targets[both[:, 1:].reshape(2, -1)[:, positions]]
        return Batch(self._characters(distinct), rows[:, :-1], positions, targets)

    def _characters(self, distinct: np.ndarray) -> np.ndarray:
        """Character ids of distinct tokens, in order; <S> and </S> are the last two of them."""
        tokens = [self._bytes[i] for i in distinct[:-2]]
        longest = max(map(len, tokens), default=0) + 2
        # After the longest token, every filter needs one window of padding only.
        length = min(self._max_characters, max(longest, 3) + self._widest)
        return np.concatenate([character_ids(tokens, length), boundary_ids(length)])


def epoch_of_batches(
    lengths: np.ndarray, sentences: np.ndarray, batch_tokens: int, seed: tuple[int, ...] | None
) -> Iterator[np.ndarray]:
    """The numbers of all the sentences, cut into batches of at most `batch_tokens` padded steps.

    lengths: tokens per sentence; a sentence of n takes n + 1 steps, and a longer one is a batch by
    itself. seed: shuffles them, the same way each time; None keeps them in order of length.
    """
    if seed is not None:
        rng = np.random.default_rng(seed)
        sentences = rng.permutation(sentences)
    for start in range(0, len(sentences), POOL):
        pool = sentences[start : start + POOL]
        # Stable, so that sentences of one length stay shuffled.
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        steps = lengths[pool] + 1
        cuts, size = [0], 0
        for i, n in enumerate(steps.tolist()):
            size += 1
            if size * n > batch_tokens and size > 1:
                cuts.append(i)
                size = 1
        batches = np.split(pool, cuts[1:])
        order = range(len(batches)) if seed is None else rng.permutation(len(batches))
        yield from (batches[i] for i in order)
