"""Lines as every input format hands them over: what a line says, or why it is rejected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

LIMIT_LINE = 1 << 20  # bytes; a longer line is rejected without being held
HEAD = 64 << 10  # bytes kept of a line that is too long to hold
HEX = r"\x"  # before bytes that are not text, as PostgreSQL writes them


class Rejected(Exception):
    """A line that is not embedded: the reason, and its id and kept fields if they could be read.

    Reasons: invalid_utf8, lone_surrogate, line_too_long, too_many_tokens, not_json, not_an_object,
    missing_field, not_a_string, null_text, bad_id, bad_field, bad_columns, bad_ids, bad_quotes.
    """

    def __init__(
        self,
        reason: str,
        identity: str | None = None,
        fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(reason)
        self.reason, self.identity, self.fields = reason, identity, fields


@dataclass(frozen=True)
class Record:
    """What a raw line says: its text, and its id if the setting `id_field` asks for one.

    tokens: of a format that has them; they are one sentence, and taken as they stand. annotations:
    such a format's other columns by name, a value for each token. fields: the values of the kept
    fields by name, as the format has them.
    """

    text: str
    identity: str | None = None
    tokens: list[str] | None = None
    annotations: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def each_line(
    table: pa.Table, parse: Callable[[bytes | None], Record]
) -> Iterator[Record | Rejected]:
    """What each line of a `line_table` says, or why not; parse raises Rejected."""
    for raw, length in zip(table["raw"].to_pylist(), table["length"].to_pylist(), strict=True):
        try:
            if length > LIMIT_LINE:
                raise Rejected("line_too_long")
            yield parse(raw)
        except Rejected as rejection:
            yield rejection


def line_table(raw: Sequence[bytes | None], sizes: list[int], offsets: np.ndarray) -> pa.Table:
    """Lines as a table of raw (large_binary), length and offset (int64)."""
    return pa.table(
        {
            "raw": pa.array(raw, pa.large_binary()),
            "length": pa.array(sizes, pa.int64()),
            "offset": pa.array(offsets, pa.int64()),
        }
    )


def cut_to_head(text: bytes | None) -> bytes | None:
    """The bytes of a line, of one that is too long only the head."""
    return text if text is None or len(text) <= LIMIT_LINE else text[:HEAD]


def decoded(raw: bytes | None) -> str:
    """A line's text; raises Rejected for one that is null or not UTF-8."""
    if raw is None:
        raise Rejected("null_text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("invalid_utf8") from None


@dataclass(frozen=True)
class Number:
    """A number by its digits, of which Python refuses some and rounds others."""

    digits: str


def identity_of(value: Any) -> str | None:
    """An id as a string: text as it is, all else as `as_json`; None for None.

    Raises Rejected for text with half of a surrogate pair, which has no UTF-8, and for lists in
    lists deeper than Python can follow.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value.encode("utf-8")
            return value
        return as_json(value).encode("utf-8", "backslashreplace").decode()
    except (UnicodeEncodeError, RecursionError):
        raise Rejected("bad_id") from None


def as_json(value: Any) -> str:
    """A value as JSON writes it; raises a Rejected that is in it."""
    if isinstance(value, Rejected):
        raise Rejected(value.reason)
    if isinstance(value, Number):
        return value.digits
    if isinstance(value, list):
        return f"[{', '.join(map(as_json, value))}]"
    if isinstance(value, dict):
        names = map(as_json, value)
        pairs = zip(names, map(as_json, value.values()), strict=True)
        return f"{{{', '.join(map(': '.join, pairs))}}}"
    return json.dumps(value, ensure_ascii=False)


def text_or_hex(value: bytes) -> str:
    r"""Bytes that are UTF-8 as text, others as `\x` and hexadecimal digits.

    So are those that begin with `\x`, so that no two have the same string.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = HEX
    return HEX + value.hex() if text.startswith(HEX) else text


def bytes_of(text: str) -> bytes:
    """The bytes of which `text_or_hex` made a text; ValueError if it made none of it."""
    return bytes.fromhex(text.removeprefix(HEX)) if text.startswith(HEX) else text.encode()
