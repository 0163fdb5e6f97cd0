"""Layers at the nodes of prefix trees, gathered into vectors of tokens and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from elmo.outputs import SENTENCE_OUTPUT
from elmo.sentences import Sentences
from elmo.tree import PrefixTree

ROWS_AT_ONCE = 1024  # mixed or averaged: few enough to stay in the processor's cache


class NodeVectors:
    """What one pass through the model gave, by output."""

    def __init__(
        self,
        sentences: Sentences,
        trees: Sequence[PrefixTree],
        layers: Sequence[list[np.ndarray]],
        vectors: np.ndarray,
        mix: np.ndarray,
    ) -> None:
        """Forward and backward in trees and layers.

        layers: float32 [nodes, width] by direction and layer; vectors: the distinct tokens',
        [distinct, width]; mix: each layer's factor in `elmo`, that of the token vectors first.
        """
        self._sentences, self._trees, self._layers = sentences, trees, layers
        self._vectors, self._mix = vectors, mix

    def output(self, name: str) -> np.ndarray:
        """float32 [tokens, dim], or [sentences, dim] for `default`."""
        if name == "word_emb":
            return self._vectors[self._sentences.ids]
        if name == "elmo":
            return self._gather(self._mixed, 0, len(self._sentences.ids))
        if name == SENTENCE_OUTPUT:
            return self._means()
        k = int(name.removeprefix("lstm_outputs")) - 1
        layer = [direction[k] for direction in self._layers]
        return self._gather(layer, 0, len(self._sentences.ids))

    @cached_property
    def _mixed(self) -> list[np.ndarray]:
        """`elmo` at the nodes: mixed once a node rather than once a token."""
        mixed = []
        for tree, layers in zip(self._trees, self._layers, strict=True):
            total = np.empty((len(tree.tokens), self._vectors.shape[1]), np.float32)
            for start in range(0, len(total), ROWS_AT_ONCE):
                here = slice(start, start + ROWS_AT_ONCE)
                total[here] = self._mix[0] * self._vectors[tree.tokens[here]]
                for factor, layer in zip(self._mix[1:], layers, strict=True):
                    total[here] += factor * layer[here]
            mixed.append(total)
        return mixed

    def _means(self) -> np.ndarray:
        offsets = self._sentences.offsets
        means = np.empty((len(self._sentences), 2 * self._vectors.shape[1]), np.float32)
        start = 0
        while start < len(means):
            end = np.searchsorted(offsets, offsets[start] + ROWS_AT_ONCE, "right") - 1
            stop = max(int(end), start + 1)
            vectors = self._gather(self._mixed, offsets[start], offsets[stop])
            means[start:stop] = sentence_means(vectors, offsets[start : stop + 1] - offsets[start])
            start = stop
        return means

    def _gather(self, directions: list[np.ndarray], begin: int, end: int) -> np.ndarray:
        """Tokens begin..end-1, both directions side by side."""
        width = self._vectors.shape[1]
        out = np.empty((end - begin, 2 * width), np.float32)
        for d, (tree, nodes) in enumerate(zip(self._trees, directions, strict=True)):
            out[:, d * width : (d + 1) * width] = nodes[tree.node_of_token[begin:end]]
        return out


def sentence_means(vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float32 [sentences, dim]: the mean over each sentence's own tokens, zero if it has none."""
    lengths = np.diff(offsets)
    means = np.zeros((len(lengths), vectors.shape[1]), np.float32)
    real = np.flatnonzero(lengths)
    if len(real):
        means[real] = np.add.reduceat(vectors, offsets[real], axis=0) / lengths[real, np.newaxis]
    return means
