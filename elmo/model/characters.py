"""Tokens to character ids, as ELMo's authors number them (bilm-tf, UnicodeCharsVocabulary).

A token is its UTF-8 bytes between a begin and an end mark, padded to a fixed length. Every id is
one higher than the byte, so that 0 means "no token".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PADDING = 257, 258, 259, 260, 261
BOUNDARIES = ("<S>", "</S>")  # of a sentence, by the names that the authors give them


def token_bytes(token: str, max_characters: int) -> bytes:
    """The bytes of a token that the model sees: the first `max_characters` - 2, 48 as published.

    A cut may split a character, as in the authors' code; lone surrogates are left out.
    """
    return token.encode("utf-8", "ignore")[: max_characters - 2]


def character_ids(tokens: Sequence[bytes], length: int) -> np.ndarray:
    """int32 [len(tokens), length]: begin mark, bytes + 1, end mark, padding.

    `length` must be at least the longest token's bytes + 2.
    """
    sizes = np.fromiter((len(t) for t in tokens), np.int64, len(tokens))
    flat = np.frombuffer(b"".join(tokens), np.uint8).astype(np.int32) + 1
    return framed_ids(flat, sizes, length, BEGIN_WORD, END_WORD, PADDING)


def framed_ids(
    flat: np.ndarray, sizes: np.ndarray, length: int, begin: int, end: int, padding: int
) -> np.ndarray:
    """int32 [len(sizes), length]: begin mark, a token's own ids, end mark, padding.

    flat: all tokens' ids, one token after another; sizes: int64, how many each has.
    """
    ids = np.full((len(sizes), length), padding, np.int32)
    ids[:, 0] = begin
    rows = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    ids[rows, columns] = flat
    ids[np.arange(len(sizes)), sizes + 1] = end
    return ids


def boundary_ids(length: int) -> np.ndarray:
    """int32 [2, length]: the two tokens around a sentence, `BOUNDARIES`."""
    ids = np.full((2, length), PADDING, np.int32)
    ids[:, 0] = BEGIN_WORD
    ids[:, 1] = BEGIN_SENTENCE, END_SENTENCE
    ids[:, 2] = END_WORD
    return ids
