"""The occurrences of given words in tokenized sentences.

An entry is a token, or several separated by spaces, which then must follow one another; a token
that has spaces in it, as in CoNLL-U, is written like several. Entries may overlap; each occurrence
is its own. A token is found by a key: by itself, or by what a format says of it, as in `bank/NOUN`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from elmo_beam.elmo.arguments import string_list
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.text.nfc import comparable, normalize_nfc

WORD_CASES = ("exact", "fold")
WORD_KEYS = ("form", "lemma", "form/upos", "lemma/upos")
POOLS = ("word",)


class Occurrence(NamedTuple):
    """position: of the first token; length: in tokens; word: the entry's place in the list."""

    position: int
    length: int
    word: int


class WordFinder:
    """Finds a list's entries in sentences; it holds an index, so create it once."""

    def __init__(self, words: Sequence[str], case: str) -> None:
        """case: "exact", or "fold" where upper and lower case are the same."""
        self._folds = case == "fold"
        self._by_first: dict[str, list[tuple[int, list[str]]]] = {}
        for i, entry in enumerate(words):
            pieces = comparable(entry, self._folds).split()
            self._by_first.setdefault(pieces[0], []).append((i, pieces))

    def find(self, tokens: Sequence[str]) -> list[Occurrence]:
        """All occurrences in tokens, or in their keys, by position, then in the list's order."""
        tokens = [comparable(token, self._folds) for token in tokens]
        if any(" " in token for token in tokens):
            return self._find_among(tokens)
        if self._by_first.keys().isdisjoint(tokens):
            return []
        return [
            Occurrence(position, len(entry), word)
            for position, token in enumerate(tokens)
            for word, entry in self._by_first.get(token, ())
            if tokens[position : position + len(entry)] == entry
        ]

    def _find_among(self, tokens: Sequence[str]) -> list[Occurrence]:
        """The same where tokens have spaces in them: an entry begins and ends with tokens."""
        split = [token.split() for token in tokens]
        pieces = [piece for of_token in split for piece in of_token]
        begins = list(accumulate(map(len, split), initial=0))
        token_at = {begin: position for position, begin in enumerate(begins)}
        return [
            Occurrence(position, token_at[begin + len(entry)] - position, word)
            for position, begin in enumerate(begins[:-1])
            if split[position]
            for word, entry in self._by_first.get(pieces[begin], ())
            if pieces[begin : begin + len(entry)] == entry and begin + len(entry) in token_at
        ]


def word_keys(
    tokens: Sequence[str], start: int, annotations: Mapping[str, Sequence[str]], key: str
) -> Sequence[str]:
    """What each token of a sentence is found by.

    annotations: of all tokens of its line, of which the sentence's first is number `start`.
    """
    if key == "form":
        return tokens
    own = slice(start, start + len(tokens))
    parts = [tokens if name == "form" else annotations[name][own] for name in key.split("/")]
    return ["/".join(of_token) for of_token in zip(*parts, strict=True)]


@lru_cache(maxsize=1)  # the same for every block of a run
def word_finder(words: tuple[str, ...], case: str) -> WordFinder:
    """The finder of a run's words."""
    return WordFinder(words, case)


@dataclass
class Occurrences:
    """A block's occurrences, columnar: each one's sentence, by its row, and place in it.

    rows, positions, lengths, words: as in `Occurrence`; tokens: what stands there. Arrays, because
    with a long list nearly every token is an occurrence.
    """

    rows: array[int] = field(default_factory=lambda: array("q"))
    positions: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    words: array[int] = field(default_factory=lambda: array("q"))
    tokens: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: int, sentence: Sequence[str], found: Iterable[Occurrence]) -> None:
        """Those in one sentence."""
        for position, length, word in found:
            self.rows.append(row)
            self.positions.append(position)
            self.lengths.append(length)
            self.words.append(word)
            self.tokens.append(" ".join(sentence[position : position + length]))


def checked_words(words: object) -> tuple[str, ...]:
    """The entries of a list, normalized as text is, each once; ArgumentError if there is none."""
    given = string_list("words", words)
    entries = tuple(dict.fromkeys(normalize_nfc(entry) for entry in given if entry.strip()))
    if not all(entries) or not entries:
        raise ArgumentError("`words` has no word: name at least one")
    return entries
