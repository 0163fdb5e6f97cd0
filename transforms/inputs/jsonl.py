"""JSON Lines: an object per line, of which one field is the text; compressed or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.fields import kept_fields
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import (
    Number,
    Record,
    Rejected,
    decoded,
    each_line,
    identity_of,
)
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.records import BOM
from elmo_beam.transforms.inputs.shards import Damaged, Shard
from elmo_beam.transforms.inputs.text import cut_lines, read_lines
from elmo_beam.transforms.inputs.values import nested


def cut_objects(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """As `cut_lines`; Damaged also for a file that is one JSON document."""
    return cut_lines(shard, settings, check_objects)


def check_objects(head: bytes) -> None:
    """Raises Damaged if a file begins as text does not, or as one JSON document.

    A first line that is broken in another way is like any other line: it alone is rejected.
    """
    check_text(head)
    lines = (line.removeprefix(BOM).strip() for line in head.split(b"\n"))
    first, second = [*islice(filter(None, lines), 2), b"", b""][:2]
    if second:
        is_document = _goes_on(first) and (first[:1] == b"[" or not _is_object(second))
    else:
        is_document = re.match(rb"\[\s*\{", first) is not None
    if is_document:
        raise Damaged(
            "is one JSON document, not an object per line: write it as JSON Lines, as jq -c '.[]' "
            "does with an array"
        )


def parsed(text: str | bytes) -> Any:
    """A JSON document, integers as Number: Python refuses those of more than 4,300 digits."""
    return json.loads(text, parse_int=Number)


def _goes_on(line: bytes) -> bool:
    """Whether JSON begins in a line but does not end there."""
    text = line.decode("utf-8", "replace")
    try:
        parsed(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        pass
    return False


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parsed(line), dict)
    except (ValueError, RecursionError):
        return False


def object_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each line's object. A line of white space only is blank, as in a text file."""
    return each_line(table, lambda raw: _record(raw, settings))


def _record(raw: bytes | None, settings: Settings) -> Record:
    line = decoded(raw)
    if not line.strip():
        return Record("")
    try:
        document = parsed(line)
    except (ValueError, RecursionError):
        raise Rejected("not_json") from None
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    fields = {name: nested(document, name) for name in kept_fields(settings.keep_fields).names}
    identity = None
    try:
        identity = identity_of(document.get(settings.id_field)) if settings.id_field else None
        return Record(_text_of(document, settings.text_field), identity, fields=fields)
    except Rejected as rejection:
        raise Rejected(rejection.reason, identity, fields) from None


def _text_of(document: dict[str, Any], name: str) -> str:
    if name not in document:
        raise Rejected("missing_field")
    text = document[name]
    if text is None:
        raise Rejected("null_text")
    if not isinstance(text, str):
        raise Rejected("not_a_string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Rejected("lone_surrogate") from None
    return text


FORMAT = InputFormat(
    suffixes=(".jsonl", ".ndjson", ".json"),
    compressible=True,
    cut=cut_objects,
    read=read_lines,
    records=object_records,
)
