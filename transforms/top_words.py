"""The most frequent tokens of an input: counted, ranked, and written to the run's folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pyarrow.compute as pc

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import read_bytes, write_bytes
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.text.nfc import comparable


def without_pool(settings: Settings) -> Settings:
    """The settings with which whole sentences are read."""
    return replace(settings, words=(), pool=None, top_words=None)


def token_counts(block: SentenceBlock, settings: Settings) -> Counter[str]:
    """How often each token is in a block; folded, if that is how words are compared.

    Tokens are counted as entries of a list name them: see `comparable`.
    """
    counted = pc.value_counts(block.sentences["tokens"].combine_chunks().flatten())
    found: Counter[str] = Counter()
    tokens, counts = (counted.field(name).to_pylist() for name in ("values", "counts"))
    for token, count in zip(tokens, counts, strict=True):
        entry = comparable(token, settings.word_case == "fold")
        if entry:
            found[entry] += count
    return found


def by_rank(counted: tuple[str, int]) -> tuple[int, str]:
    """The most frequent first, then by the word."""
    return -counted[1], counted[0]


def most_frequent(counts: Mapping[str, int], n: int) -> tuple[str, ...]:
    """The first n of counts that are in memory, by rank."""
    return tuple(word for word, _ in sorted(counts.items(), key=by_rank)[:n])


def write_top_words(words: list[tuple[str, int]], layout: Layout) -> str:
    """Write the words and their counts; the path."""
    text = json.dumps(dict(words), indent=0) + "\n"
    write_bytes(layout.root, layout.top_words, text.encode())
    return layout.top_words


def recorded_top_words(layout: Layout) -> tuple[str, ...]:
    """The words that were written; none if they cannot be read."""
    try:
        return tuple(json.loads(read_bytes(layout.top_words) or b"{}"))
    except ValueError:
        return ()
