"""CoNLL-U files: tokenized sentences with an annotation of each word; compressed or not.

The format is that of Universal Dependencies: one word per line, ten columns separated by tabs, a
blank line after each sentence, comments after `#`. Multiword tokens (`1-2`) stand beside their
words, and empty nodes (`8.1`) are not in the text: both are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.wording import counted
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.fields import kept_fields
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.records import (
    after_mark,
    byte_values,
    cut_records,
    read_records,
)
from elmo_beam.transforms.inputs.shards import Damaged, Shard, Unread, stat_shard
from elmo_beam.transforms.inputs.text_stream import TextStream

COLUMNS, ID, FORM, UPOS = 10, 0, 1, 3
ANNOTATIONS = {
    "lemma": 2, "upos": UPOS, "xpos": 4, "feats": 5, "head": 6, "deprel": 7, "deps": 8, "misc": 9,
}  # fmt: skip
OTHER_ID = re.compile(r"\d+-\d+|\d+\.\d+")  # of a multiword token, of an empty node
IS_FILLED = np.array([chr(byte) not in " \t\n\v\f\r" for byte in range(256)])

TaggedSentence = tuple[list[str], list[str]]  # forms and tags, equally many


def sentence_bounds(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
    """The scan for sentences: each ends where the next begins, after one blank line or more."""
    line = position  # where the open line begins
    filled = before = any_sentence = False  # the open line; the one before it
    for chunk in filter(None, chunks):
        values = byte_values(chunk)
        starts = np.concatenate([[0], np.flatnonzero(values == ord("\n")) + 1])
        inside = starts[starts < len(values)]
        lines = np.zeros(len(starts), bool)
        lines[: len(inside)] = np.logical_or.reduceat(IS_FILLED[values], inside)
        lines[0] |= filled
        starts += position
        starts[0] = line
        begins = lines[:-1] & ~np.concatenate([[before], lines[:-2]])[: len(lines) - 1]
        any_sentence |= bool(begins.any())
        yield starts[:-1][begins]
        before = bool(lines[-2]) if len(lines) > 1 else before
        position, line, filled = position + len(chunk), int(starts[-1]), bool(lines[-1])
    if filled and not before:
        yield np.array([line])
    if filled or any_sentence:
        yield np.array([position])


def cut_sentences(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """As `cut_records`."""
    return cut_records(shard, settings, after_mark(sentence_bounds))


def read_sentences(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The sentences of some blocks, in order."""
    return read_records(shard, blocks, sentence_bounds)


def sentence_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each sentence: its forms, its `# text`, and what the settings want of the rest.

    The id is the value of the comment that the setting `id_field` names.
    """
    wanted = wanted_annotations(settings)
    return each_line(table, lambda raw: _record(decoded(raw), settings.id_field, wanted))


def wanted_annotations(settings: Settings) -> tuple[str, ...]:
    """The columns that a run needs beside the forms."""
    names = {*settings.word_annotations, *kept_fields(settings.keep_fields).names}
    return tuple(name for name in ANNOTATIONS if name in names)


def field_type(path: str, name: str) -> pa.DataType | None:
    """A column's: a string for each word."""
    return pa.list_(pa.string()) if name in ANNOTATIONS else None


def _record(sentence: str, id_field: str | None, wanted: Sequence[str]) -> Record:
    lines = [line.removeprefix("\ufeff").removesuffix("\r") for line in sentence.split("\n")]
    comments = [line[1:].partition("=") for line in lines if line.startswith("#")]
    fields = {key.strip(): value.strip() for key, sign, value in comments if sign}
    identity = fields.get(id_field) if id_field else None
    words: list[list[str]] = []
    for line in lines:
        columns = columns_of(line)
        if columns is None:
            continue
        if len(columns) != COLUMNS or not columns[FORM]:
            raise Rejected("bad_columns", identity, fields)
        if columns[ID] == str(len(words) + 1):
            words.append(columns)
        elif not OTHER_ID.fullmatch(columns[ID]):
            raise Rejected("bad_ids", identity, fields)
    tokens = [columns[FORM] for columns in words]
    annotations = {name: [columns[ANNOTATIONS[name]] for columns in words] for name in wanted}
    text = fields.get("text", " ".join(tokens))
    return Record(text, identity, tokens, annotations, fields)


def columns_of(line: str) -> list[str] | None:
    """The columns of a word's line, None for a comment and a blank line."""
    return None if line.startswith("#") or not line.strip() else line.split("\t")


def read_conllu(path: str, most: int | None = None) -> list[TaggedSentence]:
    """The words of a file's first `most` sentences, with their UPOS; UserError for any damage."""
    try:
        with TextStream(stat_shard(path)) as stream:
            data = b"".join(iter(lambda: stream.read(1 << 20), b""))
        check_text(data)
    except Damaged as damage:
        raise UserError(f"{path} {damage}") from None
    except Unread as cause:
        raise UserError(f"cannot read {path} ({cause})") from None
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from None
    sentences: list[TaggedSentence] = []
    forms: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        line = line.removeprefix("\ufeff").removesuffix("\r")
        columns = columns_of(line)
        if columns is not None and len(columns) != COLUMNS:
            raise UserError(
                f"{path} is not CoNLL-U: line {number} has {counted(len(columns), 'column')}, not "
                f"{COLUMNS}"
            )
        if columns is not None and columns[ID].isdecimal():
            forms.append(columns[FORM])
            tags.append(columns[UPOS])
        elif not line.strip() and forms:
            sentences.append((forms, tags))
            forms, tags = [], []
            if most is not None and len(sentences) >= most:
                break
    if not sentences:
        raise UserError(f"{path} has no sentences: expected a CoNLL-U file")
    return sentences


FORMAT = InputFormat(
    suffixes=(".conllu",),
    compressible=True,
    cut=cut_sentences,
    read=read_sentences,
    records=sentence_records,
    annotations=tuple(ANNOTATIONS),
    field_type=field_type,
)
