"""Passes through the model: which sentences go together, and their vectors back in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.elmo.sentences import Sentences

# A pass takes at most what this many tokens of usual text take. More rows are no faster, and with
# passes of like size a job needs no more memory at a corpus's end than at its start. Sequences so
# long that they would be fewer than ROWS take what memory allows: each step loads all weights, for
# a few rows or for many.
MOST_TOKENS, ROWS = 12 << 10, 32
USUAL_TYPES, USUAL_SENTENCES = 1 / 4, 1 / 20  # per token


@dataclass(frozen=True)
class Encoded:
    """The vectors that one pass gave, and what they cost.

    rows: int64, which sentences of the input, in its order.
    vectors: by output, float32 [tokens, dim], or [sentences, dim] for `default`.
    steps: LSTM steps without sharing or padding, both directions; nodes: steps taken.
    lookups, misses: distinct tokens looked up in the cache, and those not found there.
    """

    rows: np.ndarray
    vectors: dict[str, np.ndarray]
    steps: int
    nodes: int
    lookups: int
    misses: int

    @property
    def work(self) -> np.ndarray:
        """int64 [4]: steps, nodes, lookups and misses."""
        return np.array([self.steps, self.nodes, self.lookups, self.misses], np.int64)

    def output_rows(self, name: str, sentences: Sentences) -> np.ndarray:
        """int64: which rows, among those of all the sentences, an output's vectors are."""
        return self.rows if name == SENTENCE_OUTPUT else sentences.positions(self.rows)


class SentenceEncoder(Protocol):
    """What turns sentences into vectors: the native encoder, or a module's own."""

    options: ModelOptions

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """Vectors of the sentences, in passes that fit into memory; each sentence in one."""


def in_order(passes: Iterable[Encoded], sentences: Sentences) -> dict[str, np.ndarray]:
    """The vectors of all passes over the sentences, by output, in the sentences' order."""
    vectors: dict[str, np.ndarray] = {}
    for encoded in passes:
        for name, own in encoded.vectors.items():
            if name not in vectors:
                vectors[name] = unfilled(name, sentences, own.shape[1])
            vectors[name][encoded.output_rows(name, sentences)] = own
    return vectors


def unfilled(name: str, sentences: Sentences, dim: int) -> np.ndarray:
    """An empty array for an output: float32 [tokens, dim], or [sentences, dim] for `default`."""
    rows = len(sentences) if name == SENTENCE_OUTPUT else len(sentences.ids)
    return np.empty((rows, dim), np.float32)


def pass_end(
    options: ModelOptions, sentences: Sentences, start: int, outputs: list[str], memory: int
) -> int:
    """The sentence before which a pass that begins at `start` must end to fit into `memory` bytes.

    The sentences are in order of length. At least one always goes through.
    """
    # `default` as if a token had one. Both directions' layers at the nodes, and their mix.
    token_dims = sum(output_dim(options, name) for name in outputs)
    per_token = 4 * (token_dims + 2 * (options.n_layers + 1) * options.projection_dim)
    # Both directions at once: rows of the first layer's tables; the widest levels' cells, and their
    # gates, counted as if those of all slices were held at once.
    per_type = 4 * (2 * 4 * options.lstm_dim + options.projection_dim)
    per_row = 2 * 4 * (3 * 4 + 6) * options.lstm_dim  # gates with their temporaries; cells
    usual = per_token + USUAL_TYPES * per_type + USUAL_SENTENCES * per_row
    begin = sentences.offsets[start]
    shortest = int(sentences.lengths[start]) if start < len(sentences) else 0
    budget = min(memory, max(MOST_TOKENS, ROWS * shortest) * usual)
    end = int(begin + budget // per_token) + 1
    ids = sentences.ids[begin:end]
    first_seen = np.zeros(len(ids) + 1, np.int64)
    first_seen[np.unique(ids, return_index=True)[1] + 1] = 1
    types = np.cumsum(first_seen)
    stop = max(int(np.searchsorted(sentences.offsets, end, "right")) - 1, start)
    tokens = sentences.offsets[start : stop + 1] - begin
    rows = np.arange(len(tokens))
    needed = tokens * per_token + types[tokens] * per_type + rows * per_row
    fit = int(np.searchsorted(needed, budget, "right")) - 1
    return min(start + max(fit, 1), len(sentences))
