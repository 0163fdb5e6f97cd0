"""The tokenizers. To add one, write a function that makes it from settings, and name it here."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.files.settings import Settings

Tokenizer = Callable[[str], list[str]]
DOTS = re.compile(r"\.{2,}")
DOT = "\0"  # Moses has removed such characters before it looks for dots


def make_moses(settings: Settings) -> Tokenizer:
    """The Moses tokenizer for `language`, which ELMo's own training text went through."""
    from sacremoses import MosesTokenizer

    moses = MosesTokenizer(lang=settings.language)
    # Each call builds a set of all letters there are to look one word up: a quarter of the time.
    for name in ("islower", "isanyalpha"):
        setattr(moses, name, lru_cache(1 << 12)(getattr(moses, name)))
    # Its own marks for runs of dots are words such as DOTMULTI, which the text may hold too.
    moses.replace_multidots = lambda text: DOTS.sub(lambda run: f" {DOT * len(run[0])} ", text)
    moses.restore_multidots = lambda text: text.replace(DOT, ".")
    # Escaping would turn don't into don &apos;t, which no model has seen.
    return lambda text: moses.tokenize(text, escape=False) if text else []


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
