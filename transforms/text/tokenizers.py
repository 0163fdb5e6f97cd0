"""The tokenizers. To add one, write a function that makes it from settings, and name it here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.files.settings import Settings

Tokenizer = Callable[[str], list[str]]
DOTS = re.compile(r"\.{2,}")
DOT = "\0"  # Moses has removed such characters before it looks for dots


def make_moses(settings: Settings) -> Tokenizer:
    """The Moses tokenizer for `language`, which ELMo's own training text went through."""
    from sacremoses import MosesTokenizer

    moses = MosesTokenizer(lang=settings.language)
    _quicken(moses)
    # Its own marks for runs of dots are words such as DOTMULTI, which the text may hold too.
    moses.replace_multidots = lambda text: DOTS.sub(lambda run: f" {DOT * len(run[0])} ", text)
    moses.restore_multidots = lambda text: text.replace(DOT, ".")
    # Escaping would turn don't into don &apos;t, which no model has seen.
    return lambda text: moses.tokenize(text, escape=False) if text else []


def _quicken(moses: Any) -> None:
    """Have a MosesTokenizer do less for the same tokens."""
    # Each call builds a set of all letters there are to look one word up.
    for name in ("islower", "isanyalpha"):
        setattr(moses, name, lru_cache(1 << 12)(getattr(moses, name)))
    # Half of the substitutions are of a comma or an apostrophe, which most sentences lack.
    for name in ("COMMA_SEPARATE_1", "COMMA_SEPARATE_2", "COMMA_SEPARATE_3"):
        setattr(moses, name, _if_any(",", getattr(moses, name)))
    for name in ("NON_SPECIFIC_APOSTROPHE", "TRAILING_DOT_APOSTROPHE"):
        setattr(moses, name, _if_any("'", getattr(moses, name)))
    for name in ("ENGLISH_SPECIFIC_APOSTROPHE", "FR_IT_SPECIFIC_APOSTROPHE"):
        setattr(moses, name, [_if_any("'", rule) for rule in getattr(moses, name)])
    # Whether a word keeps its full stop depends on that word and the next one.
    keeps = moses.handles_nonbreaking_prefixes

    @lru_cache(1 << 14)
    def alone(word: str, following: str) -> str:
        first = keeps(f"{word} {following}").split(" ")[0]
        return word if first == word else f"{first} ."

    def handled(text: str) -> str:
        words = text.split()
        for i, word in enumerate(words):
            if word[-1] == ".":
                words[i] = alone(word, words[i + 1] if i + 1 < len(words) else "")
        return " ".join(words)

    moses.handles_nonbreaking_prefixes = handled


@dataclass(frozen=True)
class _Rule:
    """A pattern whose matches all have some character."""

    character: str
    pattern: re.Pattern[str]

    def sub(self, replacement: str, text: str) -> str:
        return self.pattern.sub(replacement, text) if self.character in text else text


def _if_any(character: str, rule: tuple[re.Pattern[str], str]) -> tuple[_Rule, str]:
    """A rule of Moses, which is not tried on a text without the character."""
    return _Rule(character, rule[0]), rule[1]


def make_whitespace(settings: Settings) -> Tokenizer:
    """Splits at U+0020 and drops empty strings, as google/elmo's `default` signature does."""
    return lambda text: [token for token in text.split(" ") if token]


TOKENIZERS: dict[str, Callable[[Settings], Tokenizer]] = {
    "moses": make_moses,
    "whitespace": make_whitespace,
}


def check_language(language: str) -> None:
    """Raises ArgumentError for a language that the Moses tokenizer has no prefixes for."""
    from sacremoses.corpus import NonbreakingPrefixes

    known = sorted(set(NonbreakingPrefixes().available_langs.values()))
    if language not in known:
        raise ArgumentError(
            f"`language` {language} is not one that Moses knows: {', '.join(known)}"
        )
