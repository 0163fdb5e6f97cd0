"""What an engine gives, pass by pass, and how it comes back into the order of the sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from elmo.outputs import SENTENCE_OUTPUT
from elmo.sentences import Sentences


@dataclass(frozen=True)
class Encoded:
    """Vectors of some sentences, and what they cost.

    rows: int64, which sentences of the input, in its order.
    vectors: by output, float32 [tokens, dim], or [sentences, dim] for `default`.
    steps: LSTM steps a padding-free encoder takes (two directions); nodes: steps taken.
    lookups, misses: distinct tokens looked up in the cache, and those not found there.
    """

    rows: np.ndarray
    vectors: dict[str, np.ndarray]
    steps: int
    nodes: int
    lookups: int
    misses: int

    def places(self, name: str, sentences: Sentences) -> np.ndarray:
        """int64: the rows of an output's vectors among those of all the sentences."""
        return self.rows if name == SENTENCE_OUTPUT else sentences.positions(self.rows)


def in_order(passes: Iterable[Encoded], sentences: Sentences) -> dict[str, np.ndarray]:
    """The vectors of all passes over the sentences, by output, in the sentences' order."""
    vectors: dict[str, np.ndarray] = {}
    for encoded in passes:
        for name, own in encoded.vectors.items():
            if name not in vectors:
                vectors[name] = unfilled(name, sentences, own.shape[1])
            vectors[name][encoded.places(name, sentences)] = own
    return vectors


def unfilled(name: str, sentences: Sentences, dim: int) -> np.ndarray:
    """Room for an output of the sentences: float32 [tokens, dim], `default`: [sentences, dim]."""
    rows = len(sentences) if name == SENTENCE_OUTPUT else len(sentences.ids)
    return np.empty((rows, dim), np.float32)
