"""Layers at the nodes of prefix trees, gathered into vectors of tokens and sentences."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from elmo_beam.elmo.encoder.prefix_tree import PrefixTree
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, layer_of

ROWS_AT_ONCE = 1024  # mixed or averaged: few enough to stay in the processor's cache


class NodeVectors:
    """One direction of a pass through the model: its half of each output."""

    def __init__(
        self,
        tree: PrefixTree,
        offsets: np.ndarray,
        layers: list[np.ndarray],
        vectors: np.ndarray,
        mix: np.ndarray,
    ) -> None:
        """Hold a tree of sentences that begin at `offsets`, and the layers at its nodes.

        layers: float32 [nodes, width], one per layer; vectors: the distinct tokens', [distinct,
        width]; mix: each layer's factor in `elmo`, that of the token vectors first.
        """
        self._tree, self._offsets, self._layers = tree, offsets, layers
        self._vectors, self._mix = vectors, mix

    def fill(self, name: str, half: np.ndarray) -> None:
        """Fill half of an output: float32 [tokens, width], or [sentences, width] for `default`."""
        if name == SENTENCE_OUTPUT:
            self._means(half)
            return
        layer = self._mixed if name == "elmo" else self._layers[layer_of(name)]
        for begin in range(0, len(half), ROWS_AT_ONCE):
            end = begin + ROWS_AT_ONCE
            half[begin:end] = layer[self._tree.node_of_token[begin:end]]

    @cached_property
    def _mixed(self) -> np.ndarray:
        """`elmo` at the nodes: mixed once per node rather than once per token."""
        tokens = self._tree.tokens
        mixed = np.empty((len(tokens), self._vectors.shape[1]), np.float32)
        for begin in range(0, len(tokens), ROWS_AT_ONCE):
            here = slice(begin, begin + ROWS_AT_ONCE)
            mixed[here] = self._mix[0] * self._vectors[tokens[here]]
            for factor, layer in zip(self._mix[1:], self._layers, strict=True):
                mixed[here] += factor * layer[here]
        return mixed

    def _means(self, means: np.ndarray) -> None:
        offsets, start = self._offsets, 0
        while start < len(means):
            end = np.searchsorted(offsets, offsets[start] + ROWS_AT_ONCE, "right") - 1
            stop = max(int(end), start + 1)
            nodes = self._tree.node_of_token[offsets[start] : offsets[stop]]
            own = offsets[start : stop + 1] - offsets[start]
            means[start:stop] = sentence_means(self._mixed[nodes], own)
            start = stop


def sentence_means(vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float32 [sentences, dim]: the mean over each sentence's own tokens, zero if it has none."""
    lengths = np.diff(offsets)
    means = np.zeros((len(lengths), vectors.shape[1]), np.float32)
    real = np.flatnonzero(lengths)
    if len(real):
        means[real] = np.add.reduceat(vectors, offsets[real], axis=0) / lengths[real, np.newaxis]
    return means
