"""CSV and TSV: a record per document, under a header; compressed or not.

Quoting and line ends are those of RFC 4180, and a line feed alone ends a line too: a quote opens
only at the start of a field, `""` inside quotes is a quote, and anything, line ends included, may
stand inside them. So where a record ends hangs on all quotes before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.fields import kept_fields
from elmo_beam.transforms.inputs.formats import InputFormat, suffix_of
from elmo_beam.transforms.inputs.lines import LIMIT_LINE, Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.records import (
    BOM,
    Scan,
    after_mark,
    byte_values,
    cut_records,
    read_records,
)
from elmo_beam.transforms.inputs.shards import Damaged, Shard
from elmo_beam.transforms.inputs.text_stream import TextStream

DELIMITERS = {".csv": ",", ".tsv": "\t"}
QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
IN_HEADER = {
    "invalid_utf8": "that is not UTF-8",
    "bad_quotes": "with a quote that is never closed, or closed before the end of a field",
}
QUOTE, LINE_FEED = ord('"'), ord("\n")


def record_scan(delimiter: str) -> Scan:
    """The scan for records, the header as the first; Damaged for a quote that is open at the end.

    In records alone, in a block, the first is a record like any other.
    """
    field_ends = (LINE_FEED, ord(delimiter))

    def bounds(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
        yield np.array([position])
        start, count = position, 0  # where the open record begins, and those before it
        before, inside, closed = b"\n", False, False
        for chunk in chunks:
            text = before + chunk
            turns = _turns(text, inside, closed, field_ends)
            feeds = np.flatnonzero(byte_values(text)[1:] == LINE_FEED) + 1
            ends = feeds[np.searchsorted(turns, feeds) % 2 == inside] + position
            position, count = position + len(chunk), count + len(ends)
            start = int(ends[-1]) if len(ends) else start
            inside ^= bool(len(turns) % 2)
            at_end = len(turns) > 0 and turns[-1] == len(text) - 1
            closed = not inside and (at_end or (closed and not chunk))
            before = text[-1:]
            yield ends
        if inside:
            which = f"record {count - 1:,}" if count else "its header"
            raise Damaged(
                f"has a quote that is still open at its end, in {which}, which begins at byte "
                f"{start:,}: close it, or double it inside quotes"
            )
        if position > start:
            yield np.array([position])

    return bounds


def _turns(text: bytes, inside: bool, closed: bool, field_ends: tuple[int, int]) -> np.ndarray:
    """Where quotes open and close, in turn, in all but the first byte of a text.

    inside: whether that byte is inside quotes; closed: whether it is a quote that closes. A quote
    opens at the start of a field, and right after one that has closed, which is `""` inside quotes.
    """
    values = byte_values(text)
    quotes = np.flatnonzero(values[1:] == QUOTE) + 1
    opening = quotes[int(inside) :: 2]
    previous = np.concatenate([[0 if closed else -1], quotes[:-1]])[int(inside) :: 2]
    at_start = np.isin(values[opening - 1], field_ends) | (opening - 1 == previous)
    if at_start.all():
        return quotes
    turns: list[int] = []  # some quotes are part of a field without quotes
    last = 0 if closed else -1
    for quote in quotes.tolist():
        if inside or text[quote - 1] in field_ends or quote - 1 == last:
            inside, last = not inside, quote
            turns.append(quote)
    return np.array(turns, np.int64)


def cut_rows(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """As `cut_records`, without the header; Damaged also for a header that lacks a column."""
    delimiter = DELIMITERS[suffix_of(shard.path)]
    scan = after_mark(record_scan(delimiter))

    def rows(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
        left = 1  # the first bound is the header's
        for array in scan(chunks, position):
            yield array[left:]
            left = max(left - len(array), 0)

    def check(head: bytes) -> None:
        check_text(head)
        _header(head, delimiter, settings)

    return cut_records(shard, settings, rows, check)


def read_rows(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The records of some blocks, in order; the table's metadata hold the header."""
    delimiter = DELIMITERS[suffix_of(shard.path)]
    with TextStream(shard) as stream:
        header = _header(stream.read(LIMIT_LINE), delimiter, settings)
    metadata = {"header": json.dumps(header), "delimiter": delimiter}
    for table in read_records(shard, blocks, record_scan(delimiter)):
        yield table.replace_schema_metadata(metadata)


def _header(head: bytes, delimiter: str, settings: Settings) -> list[str]:
    """The columns' names, of a file that begins like this; Damaged if one is missing or twice."""
    head = head[:LIMIT_LINE]
    text = head.removeprefix(BOM)
    if not text:
        raise Damaged("is empty: it has no header")
    bounds = np.concatenate([*islice(record_scan(delimiter)([text], 0), 2)])
    if len(bounds) < 2 and len(head) == LIMIT_LINE:
        raise Damaged("has a header of over 1 MiB: its first line must name the columns")
    header = text[: bounds[1]] if len(bounds) > 1 else text
    if b"\r" in header.removesuffix(b"\n").removesuffix(b"\r") and b'"' not in header:
        raise Damaged("has lines that end in CR alone: convert them, as tr '\\r' '\\n' does")
    if not header.strip():
        raise Damaged("begins with an empty line: its first line must name the columns")
    try:
        names = _fields(_line(header), delimiter)
    except Rejected as rejection:
        raise Damaged(f"has a header {IN_HEADER[rejection.reason]}") from None
    kept = kept_fields(settings.keep_fields).names
    for name in filter(None, (settings.text_column, settings.id_field, *kept)):
        if name not in names:
            raise Damaged(f"has no column {name!r}: it has {', '.join(names)}")
        if names.count(name) > 1:
            raise Damaged(f"has several columns {name!r}")
    return names


def row_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each record's text, and its id. An empty line is blank."""
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    names, delimiter = json.loads(metadata["header"]), metadata["delimiter"]
    text = names.index(settings.text_column)
    identity = names.index(settings.id_field) if settings.id_field else None
    kept = [(name, names.index(name)) for name in kept_fields(settings.keep_fields).names]

    def parse(raw: bytes | None) -> Record:
        line = decoded(raw)
        if not line:
            return Record("")
        values = _fields(line, delimiter)
        if len(values) != len(names):
            raise Rejected("bad_columns")
        given = None if identity is None else values[identity]
        return Record(values[text], given, fields={name: values[i] for name, i in kept})

    return each_line(table, parse)


def _line(raw: bytes) -> str:
    return decoded(raw.removesuffix(b"\n").removesuffix(b"\r"))


def _fields(line: str, delimiter: str) -> list[str]:
    """The fields of a record; raises Rejected for text between a closing quote and a delimiter."""
    if '"' not in line:
        return line.split(delimiter)
    fields, at = [], 0
    while True:
        if line.startswith('"', at):
            quoted = QUOTED.match(line, at)
            if quoted is None:
                raise Rejected("bad_quotes")
            fields.append(quoted[1].replace('""', '"'))
            end = quoted.end()
        else:
            end = line.find(delimiter, at)
            end = len(line) if end < 0 else end
            fields.append(line[at:end])
        if end == len(line):
            return fields
        if line[end] != delimiter:
            raise Rejected("bad_quotes")
        at = end + 1


FORMAT = InputFormat(
    suffixes=tuple(DELIMITERS),
    compressible=True,
    cut=cut_rows,
    read=read_rows,
    records=row_records,
)
