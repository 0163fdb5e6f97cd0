"""Tokenized text for Keras models: one length for all data, padded arrays, joined strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from elmo_beam.elmo.arguments import token_lists
from elmo_beam.elmo.errors import ArgumentError


def covering_length(lengths: np.ndarray, percentile: float = 100.0) -> int:
    """The smallest length, in tokens, that covers this percentage of the sentences."""
    return int(np.percentile(lengths, percentile, method="inverted_cdf")) if len(lengths) else 0


def sentence_length(datasets: Iterable[Iterable[Sequence[str]]], percentile: float = 100.0) -> int:
    """The length to pad all data sets to: that of their longest sentence, or of a percentile.

    One length for training, development and test data, so that arrays of all of them fit one model.
    Raises ArgumentError for what is not lists of tokens.
    """
    several = "give a list of data sets, as in [train, test]"
    if not isinstance(datasets, Iterable):
        raise ArgumentError(f"`datasets` {datasets!r}: {several}")
    lists = (tokens for given in datasets for tokens in token_lists("datasets", given, several))
    lengths = [len(tokens) for tokens in lists]
    return covering_length(np.array(lengths, np.int64), percentile)


def padded_tokens(sentences: Sequence[Sequence[str]], length: int) -> np.ndarray:
    """Object array of str, [sentences, length]: tokens, with "" after the sentence's end.

    Tokens beyond `length` are cut off. This is what `ElmoLayer` takes, and, together with
    `np.minimum(lengths, length)`, google/elmo's signature `tokens`. Raises ArgumentError for what
    is not lists of tokens.
    """
    lists = list(token_lists("sentences", sentences))
    rows = np.full((len(lists), length), "", object)
    for row, tokens in zip(rows, lists, strict=True):
        cut = tokens[:length]
        row[: len(cut)] = cut
    return rows


def joined_tokens(sentences: Sequence[Sequence[str]], length: int | None = None) -> np.ndarray:
    """Object array of str, [sentences]: at most `length` tokens each, separated by spaces.

    This is what `ElmoLayer` and google/elmo's `default` signature take. Raises ArgumentError for
    what is not lists of tokens.
    """
    lists = token_lists("sentences", sentences)
    return np.array([" ".join(tokens[:length]) for tokens in lists], object)
