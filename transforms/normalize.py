"""Blocks of raw lines to blocks of tokenized sentences, and to rejects."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.accounts import BlockKey
from transforms.read import HEAD, RawBlock
from transforms.schema import sentence_schema
from transforms.settings import LIMIT_LINE, Settings
from transforms.text import Rejected, Sentence, TextReader


@dataclass(frozen=True)
class SentenceBlock:
    """A block's sentences, as a table of `sentence_schema`, and what became of the other lines."""

    key: BlockKey
    sentences: pa.Table
    embedded: int
    blank: int
    rejects: list[dict[str, Any]]

    def __len__(self) -> int:
        return int(self.sentences.num_rows)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected lines by reason."""
        return dict(Counter(reject["reason"] for reject in self.rejects))


def normalize_block(raw: RawBlock, reader: TextReader, settings: Settings) -> SentenceBlock:
    """Normalize, split and tokenize every line; a line is embedded, blank or rejected whole."""
    embedded = blank = 0
    rejects: list[dict[str, Any]] = []
    columns = _Columns(raw.key.shard, settings)
    for i, line in enumerate(raw.lines.to_pylist()):
        number = raw.key.block.line + i
        identity = _identity(line["id"]) if "id" in line else None
        try:
            if line["length"] > LIMIT_LINE:
                raise Rejected("line_too_long")
            text = _text_of(line["raw"], raw.kind)
            if raw.kind == "json":
                text, identity = _json_text(text, settings)
            sentences = reader.sentences(text)
        except Rejected as rejection:
            if rejection.args[1:]:
                identity = rejection.args[1]
            rejects.append(_reject(raw, line, number, str(rejection.args[0]), identity, settings))
            continue
        if not sentences:
            blank += 1
            continue
        embedded += 1
        columns.add(number, line["offset"], identity, sentences)
    return SentenceBlock(raw.key, columns.table(), embedded, blank, rejects)


def _text_of(raw: bytes | None, kind: str) -> str:
    if raw is None:
        raise Rejected("null_text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("invalid_utf8") from None


def _json_text(line: str, settings: Settings) -> tuple[str, str | None]:
    """A JSON line's text and id. A line of white space only is blank, as in a text file."""
    if not line.strip():
        return "", None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Rejected("not_json") from None
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    identity = _identity(document.get(settings.id_field)) if settings.id_field else None
    if settings.text_field not in document:
        raise Rejected("missing_field", identity)
    text = document[settings.text_field]
    if text is None:
        raise Rejected("null_text", identity)
    if not isinstance(text, str):
        raise Rejected("not_a_string", identity)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Rejected("lone_surrogate", identity) from None
    return text, identity


def _identity(value: Any) -> str | None:
    """An id as a string: text as it is, JSON's other values as JSON writes them, dates in ISO."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | int | float | list | dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).encode("utf-8", "replace").decode()


def _reject(
    raw: RawBlock,
    line: dict[str, Any],
    number: int,
    reason: str,
    identity: str | None,
    settings: Settings,
) -> dict[str, Any]:
    head = (line["raw"] or b"")[:HEAD]
    return {
        "shard": raw.key.shard,
        "line": number,
        "offset": line["offset"],
        "reason": reason,
        **({"id": identity} if settings.id_field else {}),
        "length": line["length"],
        "raw": base64.b64encode(head).decode(),
    }


class _Columns:
    """The columns of a block's sentences, as they grow."""

    def __init__(self, shard: str, settings: Settings) -> None:
        self._schema = sentence_schema(settings)
        self._shard = shard
        self._columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        self._tokens: list[str] = []

    def add(self, line: int, offset: int, identity: str | None, sentences: list[Sentence]) -> None:
        """One line's sentences."""
        for i, sentence in enumerate(sentences):
            row = {
                "line": line,
                "offset": offset,
                "sentence": i,
                "id": identity,
                "text": sentence.text,
                "num_tokens": len(sentence.tokens),
                "truncated": sentence.truncated,
            }
            self._tokens.extend(sentence.tokens)
            for name in row.keys() & self._columns.keys():
                self._columns[name].append(row[name])

    def table(self) -> pa.Table:
        """All of it, in the schema's order."""
        arrays = {n: pa.array(c, self._schema.field(n).type) for n, c in self._columns.items() if c}
        offsets = np.cumsum([0, *self._columns["num_tokens"]], dtype=np.int32)
        arrays["tokens"] = pa.ListArray.from_arrays(
            pa.array(offsets), pa.array(self._tokens, pa.string())
        )
        rows = len(self._columns["line"])
        arrays["shard"] = pa.repeat(pa.scalar(self._shard, pa.string()), rows)
        empty = {f.name: pa.array([], f.type) for f in self._schema}
        return pa.table([{**empty, **arrays}[n] for n in self._schema.names], schema=self._schema)
