"""Sentences in, ELMo vectors out: the native encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from elmo.backend import tf
from elmo.bilm import TreeLSTM
from elmo.encoded import Encoded, in_order, unfilled
from elmo.node_vectors import NodeVectors
from elmo.outputs import TOKEN_OUTPUT, checked_outputs, output_dim
from elmo.sentences import Sentences
from elmo.shapes import LEAST_ROWS, rounded_up
from elmo.token_vectors import TokenVectors
from elmo.tree import build_tree
from elmo.weights import Weights

DEFAULT_MEMORY = 1 << 30
# What a pass takes at most is what so many tokens of usual text take. More rows are no faster, and
# passes that are alike take the same memory at a corpus's start as at its end.
MOST_TOKENS = 12 << 10
USUAL_TYPES, USUAL_SENTENCES = 1 / 4, 1 / 20  # a token
STEPS = 32  # sizes an octave of a level or a vocabulary


class Encoder:
    """ELMo in native TensorFlow, state zero at the start of every sentence.

    A sentence's vectors do not depend on what is encoded with it, within 1e-5.
    """

    def __init__(
        self, weights: Weights, memory: int = DEFAULT_MEMORY, precision: str = "float32"
    ) -> None:
        """memory: bytes that the vectors of one pass through the model may take.

        One sentence always goes through, whatever it takes. precision: one of
        `elmo.precision.PRECISIONS`, for the LSTMs' matrix products.
        """
        self.options, self.precision = weights.options, precision
        self._memory = memory
        self._mix = weights.layer_mix()
        dtype = tf.as_dtype(precision)
        self._directions = [TreeLSTM(weights, direction, dtype) for direction in (0, 1)]
        self._tokens = TokenVectors(weights, capacity=memory // 8)

    def encode(
        self, sentences: Sequence[Sequence[str]], outputs: Sequence[str] = ("elmo",)
    ) -> dict[str, np.ndarray]:
        """Vectors of lists of tokens, by output: flat, one sentence after another.

        float32 [tokens, dim]; for `default` [sentences, dim], zero for an empty sentence. Raises
        UserError for an output that the model lacks.
        """
        columns = Sentences.from_lists(sentences)
        return in_order(self.batches(columns, outputs), columns)

    def batches(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """The same for columnar sentences, in as many passes as `memory` asks for.

        Alike lengths together, the shortest first: else every pass would end in levels of a few
        long sentences, and a product of few rows takes as long as one of many.
        """
        names = checked_outputs(self.options, outputs)
        order = np.argsort(sentences.lengths, kind="stable")
        by_length = sentences.take(order)
        start = 0
        while True:
            stop = self._pass_end(by_length, start, names)
            rows = np.sort(order[start:stop])
            yield self._encode(sentences.take(rows).trimmed(), rows, names)
            start = stop
            if start >= len(sentences):
                return

    def _pass_end(self, sentences: Sentences, start: int, names: list[str]) -> int:
        """Up to which sentence the vectors of one pass fit into memory; at least one sentence."""
        o = self.options
        # `default` as if a token had one. Both directions' layers at the nodes, and their mix.
        token_dims = sum(output_dim(o, name) for name in names)
        per_token = 4 * (token_dims + 2 * (o.n_layers + 1) * o.projection_dim)
        # Both directions at once: rows of the first layer's tables, gates of the widest levels.
        per_type = 4 * (2 * 4 * o.lstm_dim + o.projection_dim)
        per_row = 2 * 4 * (3 * 4 + 6) * o.lstm_dim  # gates with their temporaries; cells
        usual = per_token + USUAL_TYPES * per_type + USUAL_SENTENCES * per_row
        budget = min(self._memory, MOST_TOKENS * usual)
        begin = sentences.offsets[start]
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

    def _encode(self, sentences: Sentences, rows: np.ndarray, names: list[str]) -> Encoded:
        distinct, misses = self._tokens.of(sentences.vocabulary)
        distinct = np.resize(
            distinct, (rounded_up(len(distinct), STEPS, LEAST_ROWS), distinct.shape[1])
        )
        vectors = {n: unfilled(n, sentences, output_dim(self.options, n)) for n in names}
        if TOKEN_OUTPUT in names:
            vectors[TOKEN_OUTPUT][:] = distinct[sentences.ids]
        # A thread a direction: they never meet, and TensorFlow's own threads serve both.
        with ThreadPoolExecutor(2) as threads:
            run = partial(self._run, sentences, distinct, vectors)
            nodes = sum(threads.map(run, (0, 1)))
        return Encoded(
            rows,
            vectors,
            steps=2 * len(sentences.ids),
            nodes=nodes,
            lookups=len(sentences.vocabulary),
            misses=misses,
        )

    def _run(
        self,
        sentences: Sentences,
        distinct: np.ndarray,
        vectors: dict[str, np.ndarray],
        direction: int,
    ) -> int:
        """One direction, into its half of the vectors; how many steps it took."""
        tree = build_tree(sentences.ids, sentences.offsets, reverse=direction == 1)
        layers = self._directions[direction].run(
            distinct,
            self._tokens.boundaries[direction],
            tree.tokens,
            tree.parents,
            tree.level_offsets,
            rounded_up(np.diff(tree.level_offsets), STEPS, LEAST_ROWS),
        )
        nodes = NodeVectors(
            tree, sentences.offsets, [np.asarray(layer) for layer in layers], distinct, self._mix
        )
        width = self.options.projection_dim
        for name in vectors.keys() - {TOKEN_OUTPUT}:
            nodes.fill(name, vectors[name][:, direction * width :][:, :width])
        return len(tree.tokens)
