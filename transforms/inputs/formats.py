"""The input formats. To add one, write its module, which defines FORMAT, and name it here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

import pyarrow as pa

from elmo_beam.transforms.files.settings import MAX_TOKENS, Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.fields import holds, kept_fields, plain_type, type_text
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.inputs.shards import Damaged, Shard, compression_of

INPUT_FORMATS = [
    "elmo_beam.transforms.inputs.conllu",
    "elmo_beam.transforms.inputs.delimited",
    "elmo_beam.transforms.inputs.fasta",
    "elmo_beam.transforms.inputs.jsonl",
    "elmo_beam.transforms.inputs.parquet",
]
TEXT = "elmo_beam.transforms.inputs.text"  # whatever has none of their suffixes


@dataclass(frozen=True)
class InputFormat:
    """How files of one format are cut into blocks and read.

    suffixes: lower case, with the dot. compressible: whether a compression's suffix may follow.
    packs: whether small files may be joined in packs. cut: reads a shard once, whole; what
    identifies its content, and its blocks. read: the lines of some blocks, in order: a table per
    block of raw (large_binary or null), length and offset (int64; bytes, or rows), and whatever
    else `records` needs. records: what each line of such a table says, or why it is rejected. cut
    and read raise Damaged. An id is written only if the setting `id_field` is given, whatever it
    means to the format. max_tokens: of a sentence, where the setting gives none. annotations: what
    a record says of each token.

    A kept field is in the records, or a column of its name and type in the tables of `read`.
    field_type: the type that a file gives a field of this name, or None; raises Damaged and Unread.
    """

    suffixes: tuple[str, ...]
    compressible: bool
    cut: Callable[[Shard, Settings], tuple[str, list[Block]]]
    read: Callable[[Shard, Sequence[Block], Settings], Iterator[pa.Table]]
    records: Callable[[pa.Table, Settings], Iterator[Record | Rejected]]
    packs: bool = True
    max_tokens: int = MAX_TOKENS
    annotations: tuple[str, ...] = ()
    field_type: Callable[[str, str], pa.DataType | None] = lambda path, name: None

    def check(self, settings: Settings) -> None:
        """Raises Damaged if files of this format lack what a run with these settings needs."""
        lacking = [name for name in settings.word_annotations if name not in self.annotations]
        if lacking:
            raise Damaged(
                f"has no {' and '.join(lacking)} of its words, by which this run finds them: only "
                "CoNLL-U (.conllu) has"
            )

    def most_tokens(self, settings: Settings) -> int:
        """Of a sentence in a run with these settings; no more than a run's rows are padded to."""
        return settings.max_tokens or min(self.max_tokens, settings.pad_to or self.max_tokens)


def input_format(path: str) -> InputFormat:
    """The format of a file, by its suffix, or by the one before a compression's."""
    suffix, compressed = suffix_of(path), compression_of(path) is not None
    for module in INPUT_FORMATS:
        found: InputFormat = import_module(module).FORMAT
        if suffix in found.suffixes and (found.compressible or not compressed):
            return found
    text: InputFormat = import_module(TEXT).FORMAT
    return text


def field_type(path: str, name: str) -> pa.DataType | None:
    """The plain type that a file gives a field, None if it says none; raises Damaged, Unread."""
    kind = input_format(path).field_type(path, name)
    if kind is None or pa.types.is_null(kind):
        return None
    try:
        return plain_type(kind)
    except ValueError:
        remedy = f": name one of its fields, as in {name}.b" if pa.types.is_struct(kind) else ""
        raise Damaged(f"column {name!r} is {kind}, which cannot be kept{remedy}") from None


def check_field_types(path: str, settings: Settings) -> None:
    """Raises Damaged if a file gives a kept field another type than the run."""
    for field in kept_fields(settings.keep_fields):
        kind = field_type(path, field.name)
        if kind is not None and not holds(field.type, kind):
            raise Damaged(
                f"column {field.name!r} is {type_text(kind)}, but the run keeps it as "
                f"{type_text(field.type)}: a run that declares {field.name}:{type_text(kind)} "
                "keeps it"
            )


def suffix_of(path: str) -> str:
    """A file's suffix, or the one before a compression's, in lower case."""
    name = path if compression_of(path) is None else os.path.splitext(path)[0]
    return os.path.splitext(name)[1].lower()
