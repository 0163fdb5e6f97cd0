"""Tokenized text for models: one length for all data, padded arrays, joined strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

Sentence = Sequence[str]


def covering_length(lengths: np.ndarray, percentile: float = 100.0) -> int:
    """The least length, in tokens, that so many percent of the sentences do not pass."""
    return int(np.percentile(lengths, percentile, method="inverted_cdf")) if len(lengths) else 0


def sentence_length(datasets: Iterable[Iterable[Sentence]], percentile: float = 100.0) -> int:
    """The length that all data sets can be padded to: their longest sentence's, or a percentile's.

    One length over training, development and test data alike, so that arrays of all of them fit
    one model.
    """
    lengths = [len(sentence) for dataset in datasets for sentence in dataset]
    return covering_length(np.array(lengths, np.int64), percentile)


def padded_tokens(sentences: Sequence[Sentence], length: int) -> np.ndarray:
    """Object array of str, [sentences, length]: tokens, with "" behind the sentence's end.

    Tokens beyond `length` are cut off. What `ElmoLayer` takes, and google/elmo's signature
    `tokens` beside `np.minimum(lengths, length)`.
    """
    rows = np.full((len(sentences), length), "", object)
    for row, sentence in zip(rows, sentences, strict=True):
        cut = list(sentence[:length])
        row[: len(cut)] = cut
    return rows


def joined_tokens(sentences: Sequence[Sentence], length: int | None = None) -> np.ndarray:
    """Object array of str, [sentences]: at most `length` tokens each, parted by spaces.

    What `ElmoLayer` and google/elmo's `default` signature take.
    """
    return np.array([" ".join(sentence[:length]) for sentence in sentences], object)
