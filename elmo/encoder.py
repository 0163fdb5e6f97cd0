"""Sentences in, ELMo vectors out: the native encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from elmo.backend import tf
from elmo.bilm import CharacterEncoder, TreeLSTM
from elmo.characters import boundary_ids, character_ids, token_bytes
from elmo.outputs import SENTENCE_OUTPUT, checked_outputs, output_dim
from elmo.sentences import Sentences
from elmo.tree import PrefixTree, build_tree
from elmo.weights import Weights

DEFAULT_MEMORY = 1 << 30
CHARACTERS_AT_ONCE = 16384  # character positions in one call of the character encoder


@dataclass(frozen=True)
class Encoded:
    """Vectors of consecutive sentences, and what they cost.

    start, stop: which sentences of the input.
    vectors: by output, float32 [tokens, dim], or [sentences, dim] for `default`.
    steps: LSTM steps a padding-free encoder takes (two directions); nodes: steps taken.
    lookups, misses: distinct tokens looked up in the cache, and those not found there.
    """

    start: int
    stop: int
    vectors: dict[str, np.ndarray]
    steps: int
    nodes: int
    lookups: int
    misses: int


class Encoder:
    """ELMo in native TensorFlow, state zero at the start of every sentence.

    A sentence's vectors do not depend on what is encoded with it, within 1e-5.
    """

    def __init__(self, weights: Weights, memory: int = DEFAULT_MEMORY) -> None:
        """memory: bytes that the vectors of one pass through the model may take.

        One sentence always goes through, whatever it takes.
        """
        self.options = weights.options
        self._memory = memory
        self._mix = weights.layer_mix()
        self._directions = [TreeLSTM(weights, 0), TreeLSTM(weights, 1)]
        self._tokens = _TokenVectors(weights, capacity=memory // 8)

    def encode(
        self, sentences: Sequence[Sequence[str]], outputs: Sequence[str] = ("elmo",)
    ) -> dict[str, np.ndarray]:
        """Vectors of lists of tokens, by output: flat, one sentence after another.

        float32 [tokens, dim]; for `default` [sentences, dim], zero for an empty sentence. Raises
        UserError for an output that the model lacks.
        """
        parts = list(self.batches(Sentences.from_lists(sentences), outputs))
        names = checked_outputs(self.options, outputs)
        return {name: np.concatenate([p.vectors[name] for p in parts]) for name in names}

    def batches(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """The same for columnar sentences, in as many passes as `memory` asks for, in order."""
        names = checked_outputs(self.options, outputs)
        start = 0
        while True:
            stop = self._pass_end(sentences, start, names)
            yield self._encode(sentences.slice(start, stop), start, names)
            start = stop
            if start >= len(sentences):
                return

    def _pass_end(self, sentences: Sentences, start: int, names: list[str]) -> int:
        """Up to which sentence the vectors of one pass fit into memory; at least one sentence."""
        o = self.options
        token_dims = sum(output_dim(o, n) for n in names if n != SENTENCE_OUTPUT)
        if SENTENCE_OUTPUT in names:
            token_dims += output_dim(o, SENTENCE_OUTPUT)
        # The layers of both directions are held twice: as levels, then joined.
        token_bytes_ = 4 * (token_dims + 4 * o.n_layers * o.projection_dim)
        type_bytes = 4 * (4 * o.lstm_dim + o.projection_dim)  # row of the first layer's table
        row_bytes = 3 * 4 * 4 * o.lstm_dim  # gates of the widest level, and their temporaries
        begin = sentences.offsets[start]
        end = min(len(sentences.ids), int(begin) + self._memory // token_bytes_ + 1)
        ids = sentences.ids[begin:end]
        first_seen = np.zeros(len(ids) + 1, np.int64)
        first_seen[np.unique(ids, return_index=True)[1] + 1] = 1
        types = np.cumsum(first_seen)
        stop = max(int(np.searchsorted(sentences.offsets, end, "right")) - 1, start)
        tokens = sentences.offsets[start : stop + 1] - begin
        rows = np.arange(len(tokens))
        needed = tokens * token_bytes_ + types[tokens] * type_bytes + rows * row_bytes
        fit = int(np.searchsorted(needed, self._memory, "right")) - 1
        return min(start + max(fit, 1), len(sentences))

    def _encode(self, sentences: Sentences, start: int, names: list[str]) -> Encoded:
        vectors, misses = self._tokens.of(sentences.vocabulary)
        trees = [build_tree(sentences.ids, sentences.offsets, reverse) for reverse in (False, True)]
        layers = [
            [np.asarray(layer) for layer in self._run(direction, tree, vectors)]
            for direction, tree in enumerate(trees)
        ]
        makers = _Outputs(sentences, trees, layers, vectors, self._mix)
        return Encoded(
            start,
            start + len(sentences),
            makers.make(names),
            steps=2 * len(sentences.ids),
            nodes=sum(len(tree.tokens) for tree in trees),
            lookups=len(sentences.vocabulary),
            misses=misses,
        )

    def _run(self, direction: int, tree: PrefixTree, vectors: np.ndarray) -> list[tf.Tensor]:
        boundary = self._tokens.boundaries[direction]
        return self._directions[direction].run(
            vectors, boundary, tree.tokens, tree.parents, tree.level_offsets
        )


class _Outputs:
    """Per-node layers gathered into per-token and per-sentence vectors."""

    def __init__(
        self,
        sentences: Sentences,
        trees: list[PrefixTree],
        layers: list[list[np.ndarray]],
        vectors: np.ndarray,
        mix: np.ndarray,
    ) -> None:
        self._sentences, self._trees, self._layers = sentences, trees, layers
        self._vectors, self._mix = vectors, mix

    def make(self, names: list[str]) -> dict[str, np.ndarray]:
        made: dict[str, np.ndarray] = {}
        for name in names:
            if name == "word_emb":
                made[name] = self._vectors[self._sentences.ids]
            elif name == "elmo":
                made[name] = self._elmo()
            elif name == SENTENCE_OUTPUT:
                elmo = made["elmo"] if "elmo" in made else self._elmo()
                made[name] = sentence_means(elmo, self._sentences.offsets)
            else:
                k = int(name.removeprefix("lstm_outputs")) - 1
                made[name] = self._gather([direction[k] for direction in self._layers])
        return made

    def _elmo(self) -> np.ndarray:
        mixed = []
        for tree, layers in zip(self._trees, self._layers, strict=True):
            total = self._mix[0] * self._vectors[tree.tokens]
            for factor, layer in zip(self._mix[1:], layers, strict=True):
                total += factor * layer
            mixed.append(total)
        return self._gather(mixed)

    def _gather(self, directions: list[np.ndarray]) -> np.ndarray:
        width = self._vectors.shape[1]
        out = np.empty((len(self._sentences.ids), 2 * width), np.float32)
        for d, (tree, nodes) in enumerate(zip(self._trees, directions, strict=True)):
            out[:, d * width : (d + 1) * width] = nodes[tree.node_of_token]
        return out


def sentence_means(vectors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float32 [sentences, dim]: the mean over each sentence's own tokens, zero if it has none."""
    lengths = np.diff(offsets)
    means = np.zeros((len(lengths), vectors.shape[1]), np.float32)
    real = np.flatnonzero(lengths)
    if len(real):
        means[real] = np.add.reduceat(vectors, offsets[real], axis=0) / lengths[real, np.newaxis]
    return means


class _TokenVectors:
    """Token vectors of the character encoder, each computed once while the cache holds it."""

    def __init__(self, weights: Weights, capacity: int) -> None:
        """capacity: bytes of vectors kept; when they are full, the cache begins anew."""
        self._encoder = CharacterEncoder(weights)
        self._options = weights.options
        width = weights.options.projection_dim
        self._vectors = np.empty((max(capacity // (4 * width), 1), width), np.float32)
        self._rows: dict[bytes, int] = {}
        ids = boundary_ids(weights.options.max_characters)
        self.boundaries = self._encoder.run(ids).numpy()

    def of(self, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
        """float32 [len(tokens), projection_dim], and how many of them had to be computed."""
        keys = [token_bytes(t, self._options.max_characters) for t in tokens]
        if len(keys) > len(self._vectors):
            return self._compute(keys), len(keys)
        missing = list(dict.fromkeys(k for k in keys if k not in self._rows))
        if len(self._rows) + len(missing) > len(self._vectors):
            self._rows.clear()
            missing = list(dict.fromkeys(keys))
        if missing:
            first = len(self._rows)
            self._vectors[first : first + len(missing)] = self._compute(missing)
            self._rows.update((key, first + i) for i, key in enumerate(missing))
        rows = np.fromiter((self._rows[k] for k in keys), np.int64, len(keys))
        return self._vectors[rows], len(missing)

    def _compute(self, tokens: list[bytes]) -> np.ndarray:
        widest = max(width for width, _ in self._options.filters)
        vectors = np.empty((len(tokens), self._vectors.shape[1]), np.float32)
        # Alike lengths together: each call is as wide as its longest token.
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]), reverse=True)
        start = 0
        while start < len(order):
            # Every filter needs one window of padding only behind the longest token.
            longest = len(tokens[order[start]]) + 2
            length = min(self._options.max_characters, longest + widest)
            chosen = order[start : start + max(1, CHARACTERS_AT_ONCE // length)]
            ids = character_ids([tokens[i] for i in chosen], length)
            vectors[chosen] = self._encoder.run(ids).numpy()
            start += len(chosen)
        return vectors
