"""JSON Lines: an object per line, of which one field is the text; compressed or not."""

from __future__ import annotations

import json

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import Rejected, decoded, identity_of
from elmo_beam.transforms.inputs.text import cut_lines, read_lines


def parse_object(raw: bytes | None, settings: Settings) -> tuple[str, str | None]:
    """A line's text and id. A line of white space only is blank, as in a text file."""
    line = decoded(raw)
    if not line.strip():
        return "", None
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise Rejected("not_json") from None
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    identity = identity_of(document.get(settings.id_field)) if settings.id_field else None
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


FORMAT = InputFormat(
    suffixes=(".jsonl", ".ndjson", ".json"),
    compressible=True,
    cut=cut_lines,
    read=read_lines,
    parse=parse_object,
)
