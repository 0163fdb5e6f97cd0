"""Tokens as the ids that a model's tables are indexed by, as each family numbers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from elmo_beam.elmo.model.characters import (
    BOUNDARIES,
    boundary_ids,
    character_ids,
    framed_ids,
    token_bytes,
)
from elmo_beam.elmo.model.options import MANY_LANGS, ModelOptions

UNKNOWN_WORD = "<UNK>"  # bilm-tf's; the rest are ELMoForManyLangs'
BEGIN, END, UNKNOWN, PADDING = "<bos>", "<eos>", "<oov>", "<pad>"
# The first mark of a token is <eow>, the last <bow>: the authors' code has the names swapped.
FIRST, LAST = "<eow>", "<bow>"


@dataclass(frozen=True)
class Lexicon:
    """The words and characters of a model that has tables of its own: each one's row."""

    words: Mapping[str, int] = field(default_factory=dict)
    characters: Mapping[str, int] = field(default_factory=dict)

    def fits(self, options: ModelOptions) -> bool:
        """Whether it has the words and characters that a model needs, and no others."""
        needs_characters = options.family == MANY_LANGS and bool(options.filters)
        return (bool(self.words), bool(self.characters)) == (
            bool(options.n_words),
            needs_characters,
        )


NO_LEXICON = Lexicon()


class Ids(NamedTuple):
    """Of some tokens: rows of the table of words, int32 [tokens], and of characters.

    characters: int32 [tokens, length]. What the model lacks is zeros, or of length 0.
    """

    words: np.ndarray
    characters: np.ndarray


class TokenIds(Protocol):
    """How a family of models numbers tokens."""

    def key(self, token: str) -> Any:
        """What the model sees of a token: tokens of equal keys have equal vectors."""

    def length(self, key: Any) -> int:
        """How many character ids a key has, its marks included."""

    def ids(self, keys: Sequence[Any], length: int) -> Ids:
        """The ids of some keys, padded to `length` character ids, the longest key's or more."""

    def boundaries(self) -> Ids:
        """The ids of the two tokens around a sentence."""


def token_ids(options: ModelOptions, lexicon: Lexicon) -> TokenIds:
    """How a model with these options numbers tokens."""
    if options.family == MANY_LANGS:
        return LexiconIds(options, lexicon)
    return ByteIds(options) if options.filters else WordIds(lexicon)


class ByteIds:
    """bilm-tf's models of characters: a token is its UTF-8 bytes."""

    def __init__(self, options: ModelOptions) -> None:
        self._most = options.max_characters

    def key(self, token: str) -> bytes:
        """As in `TokenIds`."""
        return token_bytes(token, self._most)

    def length(self, key: bytes) -> int:
        """As in `TokenIds`."""
        return len(key) + 2

    def ids(self, keys: Sequence[bytes], length: int) -> Ids:
        """As in `TokenIds`."""
        return Ids(np.zeros(len(keys), np.int32), character_ids(keys, length))

    def boundaries(self) -> Ids:
        """As in `TokenIds`."""
        return Ids(np.zeros(2, np.int32), boundary_ids(self._most))


class WordIds:
    """bilm-tf's models of words: a token is its row in the vocabulary."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._words = lexicon.words

    def key(self, token: str) -> int:
        """As in `TokenIds`."""
        return self._words.get(token, self._words[UNKNOWN_WORD])

    def length(self, key: int) -> int:
        """As in `TokenIds`."""
        return 0

    def ids(self, keys: Sequence[int], length: int) -> Ids:
        """As in `TokenIds`."""
        return Ids(np.array(keys, np.int32), np.zeros((len(keys), 0), np.int32))

    def boundaries(self) -> Ids:
        """As in `TokenIds`."""
        return self.ids([self.key(name) for name in BOUNDARIES], 0)


class LexiconIds:
    """ELMoForManyLangs: a token is its row in the words and its Unicode characters' rows.

    Source: `create_one_batch` and `Embedder` of the authors' code.
    """

    def __init__(self, options: ModelOptions, lexicon: Lexicon) -> None:
        self._words, self._characters = lexicon.words, lexicon.characters
        self._most = options.max_characters

    def key(self, token: str) -> str:
        """As in `TokenIds`; a token that is too long is looked up as it is cut."""
        return token[: self._most - 2]

    def length(self, key: str) -> int:
        """As in `TokenIds`."""
        return len(key) + 2 if self._characters else 0

    def ids(self, keys: Sequence[str], length: int) -> Ids:
        """As in `TokenIds`."""
        words = np.zeros(len(keys), np.int32)
        if self._words:
            unknown = self._words[UNKNOWN]
            words[:] = [self._words.get(key, unknown) for key in keys]
        if not self._characters:
            return Ids(words, np.zeros((len(keys), 0), np.int32))
        # A sentence's boundary is one character; so is a token of the same name.
        spelled = [[key] if key in (BEGIN, END) else key for key in keys]
        unknown = self._characters[UNKNOWN]
        flat = [self._characters.get(character, unknown) for key in spelled for character in key]
        marks = (self._characters[name] for name in (FIRST, LAST, PADDING))
        sizes = np.fromiter(map(len, spelled), np.int64, len(spelled))
        return Ids(words, framed_ids(np.array(flat, np.int32), sizes, length, *marks))

    def boundaries(self) -> Ids:
        """As in `TokenIds`."""
        return self.ids([BEGIN, END], self._most if self._characters else 0)
