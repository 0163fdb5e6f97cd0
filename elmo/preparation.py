"""Tokenized text for Keras models: one length for all data, padded arrays, joined strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from elmo_beam.elmo.arguments import string_list


def covering_length(lengths: np.ndarray, percentile: float = 100.0) -> int:
    """The smallest length, in tokens, that covers this percentage of the sentences."""
    return int(np.percentile(lengths, percentile, method="inverted_cdf")) if len(lengths) else 0


def sentence_length(datasets: Iterable[Iterable[Sequence[str]]], percentile: float = 100.0) -> int:
    """The length to pad all data sets to: that of their longest sentence, or of a percentile.

    One length for training, development and test data, so that arrays of all of them fit one model.
    """
    lengths = [len(sentence) for dataset in datasets for sentence in dataset]
    return covering_length(np.array(lengths, np.int64), percentile)


def padded_tokens(sentences: Sequence[Sequence[str]], length: int) -> np.ndarray:
    """Object array of str, [sentences, length]: tokens, with "" after the sentence's end.

    Tokens beyond `length` are cut off. This is what `ElmoLayer` takes, and, together with
    `np.minimum(lengths, length)`, google/elmo's signature `tokens`.
    """
    rows = np.full((len(sentences), length), "", object)
    for row, sentence in zip(rows, sentences, strict=True):
        cut = string_list("sentences", sentence)[:length]
        row[: len(cut)] = cut
    return rows


def joined_tokens(sentences: Sequence[Sequence[str]], length: int | None = None) -> np.ndarray:
    """Object array of str, [sentences]: at most `length` tokens each, separated by spaces.

    This is what `ElmoLayer` and google/elmo's `default` signature take.
    """
    lists = [string_list("sentences", sentence) for sentence in sentences]
    return np.array([" ".join(tokens[:length]) for tokens in lists], object)
