"""Sentences in, ELMo vectors out: the native encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.node_vectors import NodeVectors
from elmo_beam.elmo.encoder.passes import Encoded, in_order, pass_end, unfilled
from elmo_beam.elmo.encoder.prefix_tree import build_tree
from elmo_beam.elmo.encoder.shapes import ROW_TILE, rounded_up
from elmo_beam.elmo.encoder.token_vectors import TokenVectors
from elmo_beam.elmo.layers.tree_lstm import TreeLSTM
from elmo_beam.elmo.model.outputs import TOKEN_OUTPUT, checked_outputs, output_dim
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.sentences import Sentences

SIZES_PER_OCTAVE = 32  # of a level or a vocabulary


class Encoder:
    """ELMo in native TensorFlow, with zero state at the start of every sentence.

    A sentence's vectors do not depend on what is encoded with it, within 1e-5. (On a GPU only if
    TensorFlow's TF32 is off, which is the caller's to decide.)
    """

    def __init__(
        self,
        weights: Weights,
        memory: int = DEFAULT_MEMORY,
        precision: str = "float32",
        *,
        boundary_tokens: bool = False,
    ) -> None:
        """Copy the weights into TensorFlow.

        memory: bytes that the vectors of one pass through the model may take; one sentence always
        goes through, whatever it takes. precision: one of `PRECISIONS`, for the LSTMs' matrix
        products. boundary_tokens: tokens <S> and </S> are a sentence's boundaries, as in AllenNLP,
        and not these characters, as in TF-Hub's modules.
        """
        self.options, self.precision = weights.options, precision
        self._memory = memory
        self._mix = weights.layer_mix()
        dtype = tf.as_dtype(precision)
        self._directions = [TreeLSTM(weights, direction, dtype) for direction in (0, 1)]
        self._tokens = TokenVectors(weights, memory // 8, boundary_tokens=boundary_tokens)

    def encode(
        self, sentences: Sequence[Sequence[str]], outputs: Sequence[str] = ("elmo",)
    ) -> dict[str, np.ndarray]:
        """Vectors of lists of tokens, by output: flat, one sentence after another.

        float32 [tokens, dim]; for `default` [sentences, dim], zero for an empty sentence. Raises
        ArgumentError for an output that the model lacks.
        """
        flat = Sentences.from_lists(sentences)
        return in_order(self.passes(flat, outputs), flat)

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """The same for columnar sentences, in as many passes as `memory` requires.

        Sentences of similar length go together, the shortest first: otherwise every pass would end
        in levels of a few long sentences, and a product of few rows takes as long as one of many.
        """
        names = checked_outputs(self.options, outputs)
        order = np.argsort(sentences.lengths, kind="stable")
        by_length = sentences.take(order)
        start = 0
        while True:
            stop = pass_end(self.options, by_length, start, names, self._memory)
            rows = np.sort(order[start:stop])
            yield self._encode(sentences.take(rows).trimmed(), rows, names)
            start = stop
            if start >= len(sentences):
                return

    def _encode(self, sentences: Sentences, rows: np.ndarray, names: list[str]) -> Encoded:
        distinct, misses = self._tokens.look_up(sentences.vocabulary)
        distinct = np.resize(
            distinct, (rounded_up(len(distinct), SIZES_PER_OCTAVE, ROW_TILE), distinct.shape[1])
        )
        vectors = {n: unfilled(n, sentences, output_dim(self.options, n)) for n in names}
        if TOKEN_OUTPUT in names:
            vectors[TOKEN_OUTPUT][:] = distinct[sentences.ids]
        # One thread per direction: they never meet, and TensorFlow's own threads serve both.
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
        """Run one direction and fill its half of the vectors; how many steps it took."""
        tree = build_tree(sentences.ids, sentences.offsets, reverse=direction == 1)
        layers = self._directions[direction].run(
            distinct,
            self._tokens.boundaries[direction],
            tree.tokens,
            tree.parents,
            tree.level_offsets,
            rounded_up(np.diff(tree.level_offsets), SIZES_PER_OCTAVE, ROW_TILE),
        )
        nodes = NodeVectors(
            tree, sentences.offsets, [np.asarray(layer) for layer in layers], distinct, self._mix
        )
        width = self.options.projection_dim
        for name in vectors.keys() - {TOKEN_OUTPUT}:
            nodes.fill(name, vectors[name][:, direction * width :][:, :width])
        return len(tree.tokens)
