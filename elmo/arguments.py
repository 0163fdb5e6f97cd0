"""Arguments of the public calls, checked where they come in. Each check raises ArgumentError."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any
from urllib.parse import unquote

from elmo_beam.elmo.errors import ArgumentError


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """One of some values."""
    if not any(value is choice or (type(value) is str and value == choice) for choice in choices):
        raise ArgumentError(f"`{name}` {value!r} must be one of {', '.join(map(str, choices))}")


def check_count(name: str, value: object, least: int = 1) -> None:
    """A whole number from 1, or from another."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"`{name}` {value!r} must be a whole number from {least}")


def check_bool(name: str, value: object) -> None:
    """True or False."""
    if not isinstance(value, bool):
        raise ArgumentError(f"`{name}` {value!r} must be True or False")


def check_text(name: str, value: object) -> None:
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ArgumentError(f"`{name}` {value!r} must be a string that is not empty")


def path_text(name: str, value: object) -> str:
    """A path, a URL or another handle, as a string."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ArgumentError(f"`{name}` {value!r} must be a path or URL")
    try:
        return plain_path(text)
    except ValueError as error:
        raise ArgumentError(f"`{name}` {error}") from None


def plain_path(text: str) -> str:
    """A path as the system takes it: of a local file's URL its path, for `~` the home folder.

    Any other text is left as it is. Raises ValueError for the URL of another machine's file.
    """
    url = re.match(r"file://([^/]*)(.*)", text, re.IGNORECASE | re.DOTALL)
    if url is None:
        return os.path.expanduser(text)
    if url[1].lower() not in ("", "localhost") or not url[2]:
        raise ValueError(f"{text!r} is not the URL of a file here: write it as file:///folder/file")
    return unquote(url[2], errors="surrogateescape")


def string_list(name: str, value: object) -> list[str]:
    """Strings in a list, or in a column of a table."""
    items = list(items_of(name, value))
    for i, item in enumerate(items):
        check_string(name, i, item)
    return items


def items_of(name: str, value: object) -> Iterator[Any]:
    """What is in a collection that is to be of strings.

    A single string is refused, whose letters would count as items, and so is a whole table, whose
    columns' names would.
    """
    if hasattr(value, "columns"):  # of pandas, polars or Arrow
        kind = type(value).__name__
        raise ArgumentError(f"`{name}` is a {kind}: give one of its columns, as in table['text']")
    items = _iterator(value)
    if items is None:
        raise ArgumentError(f"`{name}` {_short(value)} must be a list of strings{_remedy(value)}")
    return items


def _remedy(value: object) -> str:
    """How to make a list of strings of something, if that is plain."""
    if isinstance(value, str):
        return ": put it into a list"
    if isinstance(value, bytes):
        return ": decode it, and put it into a list"
    if isinstance(value, Mapping):
        return ": give one of its values"
    return ": give a list, which has an order" if isinstance(value, Set) else ""


def check_string(name: str, i: int, item: object) -> None:
    """One of many strings."""
    if not isinstance(item, str):
        missing = item is None or item != item  # as tables have it where there is no text
        remedy = ": leave it out, or put '' there" if missing else ""
        if isinstance(item, bytes):
            remedy = ": decode it"
        raise ArgumentError(f"`{name}` must be strings, but item {i} is {_short(item)}{remedy}")


def token_lists(
    name: str, value: object, remedy: str = "split it into tokens"
) -> Iterator[list[str]]:
    """Sentences as lists of tokens; a string where a list belongs is refused, with the remedy."""
    sentences = _items(value)
    if sentences is None:
        raise ArgumentError(
            f"`{name}` {_short(value)} must be lists of tokens, one per sentence, as in "
            "[['One', 'sentence', '.']]"
        )
    for i, sentence in enumerate(sentences):
        tokens = _items(sentence)
        if tokens is None:
            raise ArgumentError(
                f"`{name}` must be lists of tokens, but item {i} is {_short(sentence)}"
                + (f": {remedy}" if isinstance(sentence, str) else "")
            )
        for token in tokens:
            if not isinstance(token, str):
                raise ArgumentError(
                    f"`{name}` must be lists of tokens, but item {i} has {_short(token)} among its "
                    "tokens: give strings"
                )
        yield tokens


def name_list(name: str, value: object) -> list[str]:
    """Names in a list; a single string is one name."""
    return [value] if isinstance(value, str) else string_list(name, value)


def _items(value: object) -> list[Any] | None:
    """What is in a collection; None if the value is one string, or no collection."""
    items = _iterator(value)
    return None if items is None else list(items)


def _iterator(value: Any) -> Iterator[Any] | None:
    if isinstance(value, str | bytes | Mapping | Set) or not isinstance(value, Iterable):
        return None
    try:
        # Arrow's own items are not strings.
        return iter(value.to_pylist() if hasattr(value, "to_pylist") else value)
    except TypeError:  # an array without dimensions
        return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
