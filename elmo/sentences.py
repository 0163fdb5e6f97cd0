"""Sentences as flat arrays: the distinct tokens, and an index into them per token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elmo_beam.elmo.arguments import token_lists


@dataclass(frozen=True)
class Sentences:
    """Tokenized sentences, columnar.

    vocabulary: the distinct tokens.
    ids: int32 [tokens], indices into the vocabulary, one sentence after another.
    offsets: int64 [sentences + 1]; sentence i is `ids[offsets[i]:offsets[i + 1]]`.
    """

    vocabulary: Sequence[str]
    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_lists(cls, sentences: Sequence[Sequence[str]]) -> Sentences:
        """Sentences from lists of tokens; ArgumentError for anything else."""
        index: dict[str, int] = {}
        ids: list[int] = []
        offsets = [0]
        for tokens in token_lists("sentences", sentences):
            ids.extend(index.setdefault(token, len(index)) for token in tokens)
            offsets.append(len(ids))
        return cls(list(index), np.array(ids, np.int32), np.array(offsets, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Sentences]) -> Sentences:
        """All the sentences of several, in order, with one vocabulary."""
        index: dict[str, int] = {}
        ids, lengths = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
        for part in parts:
            places = [index.setdefault(token, len(index)) for token in part.vocabulary]
            ids.append(np.array(places, np.int32)[part.ids])
            lengths.append(part.lengths)
        return cls(list(index), np.concatenate(ids), np.cumsum(np.concatenate(lengths)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [sentences], in tokens."""
        return np.diff(self.offsets)

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """int64: where in `ids` the tokens of some sentences are, one sentence after another."""
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        return np.repeat(self.offsets[rows] - ends + lengths, lengths) + np.arange(lengths.sum())

    def take(self, rows: np.ndarray) -> Sentences:
        """Some of the sentences, in the order of `rows`."""
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths[rows])])
        return Sentences(self.vocabulary, self.ids[self.positions(rows)], offsets)

    def trimmed(self) -> Sentences:
        """The same sentences, with a vocabulary of their own tokens only."""
        kept, ids = np.unique(self.ids, return_inverse=True)
        if len(kept) == len(self.vocabulary):
            return self
        return Sentences([self.vocabulary[i] for i in kept], ids.astype(np.int32), self.offsets)

    def to_lists(self) -> list[list[str]]:
        """The sentences as lists of tokens."""
        words = [self.vocabulary[i] for i in self.ids]
        return [words[a:b] for a, b in zip(self.offsets, self.offsets[1:], strict=False)]
