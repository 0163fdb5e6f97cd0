"""Vectors of sentences that come again: menus, log lines, mail footers, quoted text.

One pass through the model computes equal sentences once; this is for those of other passes.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.passes import MOST_TOKENS, Encoded, SentenceEncoder
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.elmo.sentences import Sentences

MOST_KEPT, MEMORY_SHARE = 60 << 20, 16  # bytes; at most this part of --memory
MOST_SEEN = 1 << 20  # sentences remembered as seen, in 4 bytes each: a power of two
PER_SENTENCE = 1000  # bytes, about, that a kept one takes beside its tokens and vectors
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: 2 ** 64 / the golden ratio


@dataclass(frozen=True)
class _Kept:
    """A sentence's tokens, and its rows of each output."""

    tokens: list[str]
    vectors: dict[str, np.ndarray]

    @property
    def vector_bytes(self) -> int:
        return sum(rows.nbytes for rows in self.vectors.values())

    @property
    def size(self) -> int:
        tokens = sys.getsizeof(self.tokens) + sum(map(sys.getsizeof, self.tokens))
        return PER_SENTENCE + tokens + self.vector_bytes


class SentenceCache:
    """An encoder that keeps the vectors of sentences that come again.

    A sentence is kept when it comes for the second time, so that text without repeats cannot drive
    out what repeats (the "doorkeeper" of TinyLFU, Einziger et al., 2017). The least recently used
    one goes first.
    """

    def __init__(self, encoder: SentenceEncoder, memory: int = DEFAULT_MEMORY) -> None:
        """memory: bytes for the vectors of one pass, also of known sentences."""
        self.options = encoder.options
        self._encoder, self._memory = encoder, memory
        self._capacity = min(memory // MEMORY_SHARE, MOST_KEPT)
        self._names: tuple[str, ...] = ()
        self._kept: OrderedDict[int, _Kept] = OrderedDict()  # by fingerprint
        self._size = 0
        self._seen = np.zeros(MOST_SEEN, np.uint32)
        self._lock = Lock()  # one model serves all threads of a worker

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """The vectors of known sentences first, then the encoder's own passes over the others."""
        prints = _fingerprints(sentences)
        with self._lock:
            if tuple(outputs) != self._names:
                self._names, self._size = tuple(outputs), 0
                self._kept.clear()
            known = [self._known(sentences, i, p) for i, p in enumerate(prints.tolist())]
            again = self._seen_before(prints)
        rest = np.array([i for i, kept in enumerate(known) if kept is None], np.int64)
        yield from self._found(sentences, known)
        if len(rest) or not len(sentences):
            others = sentences if len(rest) == len(sentences) else sentences.take(rest).trimmed()
            for encoded in self._encoder.passes(others, outputs):
                own = replace(encoded, rows=rest[encoded.rows])
                yield own
                with self._lock:
                    if tuple(outputs) == self._names:  # else another thread wants others now
                        self._keep(own, sentences, prints, again)

    def _known(self, sentences: Sentences, i: int, fingerprint: int) -> _Kept | None:
        kept = self._kept.get(fingerprint)
        if kept is None or kept.tokens != _tokens(sentences, i):
            return None
        self._kept.move_to_end(fingerprint)
        return kept

    def _seen_before(self, prints: np.ndarray) -> np.ndarray:
        """Which sentences have come before, here or earlier; bool [sentences]."""
        slots, marks = prints % MOST_SEEN, (prints >> np.uint64(32)).astype(np.uint32)
        again: np.ndarray = self._seen[slots] == marks
        self._seen[slots] = marks
        _, which, count = np.unique(prints, return_inverse=True, return_counts=True)
        return again | (count[which] > 1)

    def _found(self, sentences: Sentences, known: list[_Kept | None]) -> Iterator[Encoded]:
        """The vectors of the known sentences, as much at once as in a pass."""
        sizes = {i: kept.vector_bytes for i, kept in enumerate(known) if kept is not None}
        rows = np.array(list(sizes), np.int64)
        share = np.array(list(sizes.values()), np.int64) / self._memory  # of a pass
        at = np.cumsum(np.maximum(share, sentences.lengths[rows] / MOST_TOKENS)).astype(np.int64)
        for part in np.split(rows, np.flatnonzero(np.diff(at)) + 1):
            kept = [own.vectors for i in part if (own := known[i]) is not None]
            if kept:
                vectors = {name: np.concatenate([own[name] for own in kept]) for name in kept[0]}
                steps = 2 * int(sentences.lengths[part].sum())
                yield Encoded(part, vectors, steps=steps, nodes=0, lookups=0, misses=0)

    def _keep(
        self, encoded: Encoded, sentences: Sentences, prints: np.ndarray, again: np.ndarray
    ) -> None:
        """Keep those of a pass's sentences that have come again."""
        ends = np.cumsum(sentences.lengths[encoded.rows])
        for k in np.flatnonzero(again[encoded.rows]):
            row, fingerprint = int(encoded.rows[k]), int(prints[encoded.rows[k]])
            if fingerprint in self._kept:
                continue
            begin, end = int(ends[k] - sentences.lengths[row]), int(ends[k])
            vectors = {
                name: rows[k : k + 1].copy() if name == SENTENCE_OUTPUT else rows[begin:end].copy()
                for name, rows in encoded.vectors.items()
            }
            kept = _Kept(_tokens(sentences, row), vectors)
            if kept.size > self._capacity:
                continue
            self._kept[fingerprint] = kept
            self._size += kept.size
            while self._size > self._capacity:
                _, oldest = self._kept.popitem(last=False)
                self._size -= oldest.size


def _tokens(sentences: Sentences, i: int) -> list[str]:
    ids = sentences.ids[sentences.offsets[i] : sentences.offsets[i + 1]]
    return [sentences.vocabulary[j] for j in ids]


def _fingerprints(sentences: Sentences) -> np.ndarray:
    """A number for the tokens of each sentence, the same in every block of this process.

    uint64 [sentences]. Others than equal sentences hardly ever have the same.
    """
    hashes = np.array([hash(token) for token in sentences.vocabulary], np.int64).view(np.uint64)
    place = np.arange(len(sentences.ids)) - np.repeat(sentences.offsets[:-1], sentences.lengths)
    powers = np.multiply.accumulate(np.full(sentences.lengths.max(initial=0) + 1, MULTIPLIER))
    terms = np.concatenate([hashes[sentences.ids] * powers[place], np.zeros(1, np.uint64)])
    sums = np.add.reduceat(terms, sentences.offsets[:-1]) if len(sentences) else terms[:0]
    sums[sentences.lengths == 0] = 0
    return (sums ^ (sums >> np.uint64(29))) * MULTIPLIER
