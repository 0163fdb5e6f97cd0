"""The tokenizers. To add one, write a function that makes it from settings, and name it here."""

from __future__ import annotations

from collections.abc import Callable

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.files.settings import Settings

Tokenizer = Callable[[str], list[str]]


def make_moses(settings: Settings) -> Tokenizer:
    """The Moses tokenizer for `language`, which ELMo's own training text went through."""
    from elmo_beam.transforms.text.moses import Moses

    return Moses(settings.language)


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
