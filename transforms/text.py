"""One line of text to its sentences' tokens: normalizing, splitting, tokenizing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from elmo.errors import UserError
from transforms.settings import Settings

CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # Cc less white space
# Normalizing puts combining marks in order in a time that grows with the square of their number.
MANY_MARKS = re.compile(
    "[" + "".join(c for c in map(chr, range(0x110000)) if unicodedata.combining(c)) + "]{64,}"
)


class Rejected(Exception):
    """A line that is not embedded; the message is one of `accounts.REASONS`."""


@dataclass(frozen=True)
class Sentence:
    """A normalized sentence and its tokens; `truncated` where some beyond the maximum are gone."""

    text: str
    tokens: list[str]
    truncated: bool = False


def normalize_nfc(text: str) -> str:
    """NFC, runs of white space (str.isspace) to one space, ends stripped, other controls removed.

    Controls go first, so that what they parted is composed and collapsed: the result is a fixed
    point of the function.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = MANY_MARKS.sub(_in_canonical_order, CONTROLS.sub("", text))
    return " ".join(unicodedata.normalize("NFC", text).split())


def _in_canonical_order(marks: re.Match[str]) -> str:
    return "".join(sorted(marks[0], key=unicodedata.combining))


class TextReader:
    """Lines to sentences, by a run's settings. Holds the tokenizer, so make it once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokenize = _tokenizer(settings)
        self._split = _splitter(settings)

    def sentences(self, text: str) -> list[Sentence]:
        """The sentences of a line that have tokens; raises Rejected where one has too many."""
        if self._settings.normalize == "nfc":
            text = normalize_nfc(text)
        found: list[Sentence] = []
        for sentence in self._split(text):
            found.extend(self._fit(sentence))
        return found

    def _fit(self, text: str) -> list[Sentence]:
        limit, policy = self._settings.max_tokens, self._settings.long_sentences
        # In NFC text every word is at least one token, so more words than the limit are known to be
        # too many before tokenizing, whose time grows with the square of a very long sentence.
        if self._settings.normalize == "nfc" and text.count(" ") >= limit and policy != "split":
            if policy == "reject":
                raise Rejected("too_many_tokens")
            words = text.split(" ", limit + 1)[: limit + 1]  # one more: Moses looks ahead
            return [Sentence(text, self._tokenize(" ".join(words))[:limit], True)]
        tokens = self._tokenize(text)
        if len(tokens) <= limit:
            return [Sentence(text, tokens)] if tokens else []
        if policy == "reject":
            raise Rejected("too_many_tokens")
        if policy == "truncate":
            return [Sentence(text, tokens[:limit], True)]
        pieces = [tokens[i : i + limit] for i in range(0, len(tokens), limit)]
        # The whole sentence beside each piece would take the square of its length.
        return [Sentence(" ".join(piece), piece) for piece in pieces]


def _tokenizer(settings: Settings) -> Callable[[str], list[str]]:
    if settings.tokenizer == "whitespace":
        return lambda text: [token for token in text.split(" ") if token]
    from sacremoses import MosesTokenizer

    moses = MosesTokenizer(lang=settings.language)
    # Each call makes a set of all letters there are, to look a word up: a quarter of the time.
    for name in ("islower", "isanyalpha"):
        setattr(moses, name, lru_cache(1 << 12)(getattr(moses, name)))
    # Escaping would turn don't into don &apos;t, which no model has seen.
    return lambda text: moses.tokenize(text, escape=False) if text else []


def _splitter(settings: Settings) -> Callable[[str], list[str]]:
    if not settings.split_sentences:
        return lambda text: [text]
    import sentencex

    def split(text: str) -> list[str]:
        pieces = (piece.strip() for piece in sentencex.segment(settings.language, text))
        return [piece for piece in pieces if piece]

    return split


def check_language(language: str) -> None:
    """Raises UserError for a language that the Moses tokenizer has no prefixes for."""
    from sacremoses.corpus import NonbreakingPrefixes

    known = sorted(set(NonbreakingPrefixes().available_langs.values()))
    if language not in known:
        raise UserError(f"--language {language} is not known to Moses: it has {', '.join(known)}")
