"""Vectors of tokens without context, each computed once while the cache holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from elmo_beam.elmo.encoder.shapes import LEAST_ROWS, rounded_up
from elmo_beam.elmo.layers.character_cnn import CharacterEncoder
from elmo_beam.elmo.model.characters import (
    BOUNDARIES,
    boundary_ids,
    character_ids,
    token_bytes,
)
from elmo_beam.elmo.model.weights import Weights

MOST_KEPT = 1 << 15  # tokens: some five blocks' worth, so that memory reaches its peak early
SIZES_PER_OCTAVE = 1  # of a call: the convolutions of each new size keep some 400 kB
CHARACTERS_AT_ONCE = 8192  # character positions in one call of the character encoder


class TokenVectors:
    """The character encoder with a bounded cache.

    boundaries: float32 [2, projection_dim], the vectors of <S> and </S>.
    """

    def __init__(self, weights: Weights, capacity: int, *, boundary_tokens: bool = False) -> None:
        """capacity: bytes of vectors kept, at most MOST_KEPT tokens; a full cache starts over.

        boundary_tokens: tokens <S> and </S> are the boundaries, not these characters.
        """
        self._encoder = CharacterEncoder(weights)
        self._options = weights.options
        width = weights.options.projection_dim
        rows = min(max(capacity // (4 * width), 1), MOST_KEPT)
        # Written now, so that the system commits the memory at the start.
        self._vectors = np.ones((rows, width), np.float32)
        self._rows: dict[bytes, int] = {}
        ids = boundary_ids(weights.options.max_characters)
        self.boundaries = self._encoder.run(ids).numpy()
        self._named = BOUNDARIES if boundary_tokens else ()

    def look_up(self, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
        """Vectors, float32 [len(tokens), projection_dim], and how many had to be computed.

        The tokens are distinct.
        """
        vectors, misses = self._spelled(tokens)
        for name, boundary in zip(self._named, self.boundaries, strict=False):
            if name in tokens:
                vectors[tokens.index(name)] = boundary
        return vectors, misses

    def _spelled(self, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
        """Vectors by the tokens' characters, and how many had to be computed."""
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
        vectors = np.empty((len(tokens), self._vectors.shape[1]), np.float32)

        def compute(chosen: list[int], length: int) -> None:
            rows = [tokens[i] for i in chosen]
            rows += [b""] * (int(rounded_up(len(rows), SIZES_PER_OCTAVE, LEAST_ROWS)) - len(rows))
            vectors[chosen] = self._encoder.run(character_ids(rows, length)).numpy()[: len(chosen)]

        with ThreadPoolExecutor(2) as threads:  # as many as there are directions
            calls = [threads.submit(compute, *call) for call in self._calls(tokens)]
        for call in calls:
            call.result()
        return vectors

    def _calls(self, tokens: list[bytes]) -> Iterator[tuple[list[int], int]]:
        """Which tokens go through the character encoder together, and in how many characters."""
        widest = max(width for width, _ in self._options.filters)
        # Similar lengths together: each call is as wide as its longest token.
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]), reverse=True)
        while order:
            # After the longest token, every filter needs one window of padding only.
            longest = len(tokens[order[0]]) + 2 + widest
            length = min(self._options.max_characters, int(rounded_up(longest, SIZES_PER_OCTAVE)))
            count = max(CHARACTERS_AT_ONCE // length, 1)
            yield order[:count], length
            order = order[count:]
