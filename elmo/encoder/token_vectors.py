"""Vectors of tokens without context, each computed once while the cache holds it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from elmo_beam.elmo.encoder.shapes import ROW_TILE, rounded_up
from elmo_beam.elmo.layers.token_encoder import TokenEncoder
from elmo_beam.elmo.model.characters import BOUNDARIES
from elmo_beam.elmo.model.token_ids import token_ids
from elmo_beam.elmo.model.weights import Weights

MOST_KEPT = 1 << 15  # tokens: some five blocks' worth, so that memory reaches its peak early
SIZES_PER_OCTAVE = 1  # of a call: the convolutions of each new size keep some 400 kB
CHARACTERS_AT_ONCE = 8192  # character positions in one call of the token encoder


class TokenVectors:
    """The token encoder with a bounded cache.

    boundaries: float32 [2, projection_dim], the vectors of the tokens around a sentence.
    """

    def __init__(self, weights: Weights, capacity: int, *, boundary_tokens: bool = False) -> None:
        """capacity: bytes of vectors kept, at most MOST_KEPT tokens; a full cache starts over.

        boundary_tokens: tokens <S> and </S> are the boundaries, not these characters.
        """
        self._encoder = TokenEncoder(weights)
        self._ids = token_ids(weights.options, weights.lexicon)
        self._options = weights.options
        width = weights.options.projection_dim
        rows = min(max(capacity // (4 * width), 1), MOST_KEPT)
        # Written now, so that the system commits the memory at the start.
        self._vectors = np.ones((rows, width), np.float32)
        self._rows: dict[Hashable, int] = {}
        self.boundaries = self._encoder.run(*self._ids.boundaries()).numpy()
        self._named = BOUNDARIES if boundary_tokens else ()

    def look_up(self, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
        """Vectors, float32 [len(tokens), projection_dim], and how many had to be computed.

        The tokens are distinct.
        """
        vectors, misses = self._cached(tokens)
        for name, boundary in zip(self._named, self.boundaries, strict=False):
            if name in tokens:
                vectors[tokens.index(name)] = boundary
        return vectors, misses

    def _cached(self, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
        """Vectors by what the model sees of the tokens, and how many had to be computed."""
        keys = [self._ids.key(t) for t in tokens]
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

    def _compute(self, keys: list[Any]) -> np.ndarray:
        vectors = np.empty((len(keys), self._vectors.shape[1]), np.float32)

        def compute(chosen: list[int], length: int) -> None:
            rows = [keys[i] for i in chosen]
            size = int(rounded_up(len(rows), SIZES_PER_OCTAVE, ROW_TILE))
            rows += rows[-1:] * (size - len(rows))
            computed = self._encoder.run(*self._ids.ids(rows, length)).numpy()
            vectors[chosen] = computed[: len(chosen)]

        with ThreadPoolExecutor(2) as threads:  # as many as there are directions
            calls = [threads.submit(compute, *call) for call in self._calls(keys)]
        for call in calls:
            call.result()
        return vectors

    def _calls(self, keys: list[Any]) -> Iterator[tuple[list[int], int]]:
        """Which keys go through the token encoder together, and in how many characters."""
        widest = max((width for width, _ in self._options.filters), default=0)
        # Similar lengths together: each call is as wide as its longest token.
        order = sorted(range(len(keys)), key=lambda i: self._ids.length(keys[i]), reverse=True)
        while order:
            # After the longest token, every filter needs one window of padding only.
            longest = self._ids.length(keys[order[0]]) + widest
            length = min(self._options.max_characters, int(rounded_up(longest, SIZES_PER_OCTAVE)))
            count = max(CHARACTERS_AT_ONCE // max(length, 1), 1)
            yield order[:count], length
            order = order[count:]
