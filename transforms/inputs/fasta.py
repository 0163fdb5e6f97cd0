r"""FASTA files: sequences of residues, each under a header that begins with `>`; compressed or not.

A residue is a token, as it is to SeqVec, whose authors read a sequence as
`"".join(line.split()).upper()` of its lines, and tokens as `list(sequence)` (mheinzinger/SeqVec,
seqvec/seqvec.py). So gaps (`-`) and stops (`*`) are tokens too. A line ends at any of `\n`, `\r\n`
and `\r`, as it does there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.records import (
    BOM,
    CHUNK,
    after_mark,
    byte_values,
    cut_records,
    read_records,
)
from elmo_beam.transforms.inputs.shards import Damaged, Shard

MAX_TOKENS = 50_000  # the longest protein known, titin, has some 35,000 residues
BEFORE = re.compile(rb"(?:[^\S\r\n]*[\r\n]|;[^\r\n]*)*")  # blank lines and comments
LINE_END = re.compile(r"\r\n?|\n")


def sequence_bounds(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
    """The scan for sequences: each from a `>` that begins a line to the next."""
    before, any_sequence = b"\n", False
    for chunk in chunks:
        values = byte_values(before + chunk)
        after = np.flatnonzero(values[1:] == ord(">"))
        starts = after[(values[after] == ord("\n")) | (values[after] == ord("\r"))]
        any_sequence |= len(starts) > 0
        yield starts + position
        position, before = position + len(chunk), chunk[-1:] or before
    if any_sequence:
        yield np.array([position])


def check_sequences(head: bytes) -> None:
    """Raises Damaged if a file begins with other than blank lines, comments and a header."""
    check_text(head)
    text = head.removeprefix(BOM)
    before = BEFORE.match(text)
    rest = text[before.end() :] if before else text
    if not rest.startswith(b">") and (rest.strip() or len(head) >= CHUNK):
        shown = rest[:20].split(b"\n")[0].decode("utf-8", "replace")
        raise Damaged(f"is not FASTA: its first sequence has no header '>…', but begins {shown!r}")


def cut_sequences(shard: Shard, settings: Settings) -> tuple[str, list[Block]]:
    """As `cut_records`; Damaged also for a file that is not FASTA."""
    return cut_records(shard, settings, after_mark(sequence_bounds), check_sequences)


def read_sequences(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The sequences of some blocks, in order."""
    return read_records(shard, blocks, sequence_bounds)


def sequence_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each sequence: its residues as tokens, its header as text, the header's first word as id."""
    return each_line(table, lambda raw: _record(decoded(raw), settings.id_field is not None))


def _record(sequence: str, with_id: bool) -> Record:
    header, *rest = LINE_END.split(sequence[1:], maxsplit=1)
    lines = LINE_END.split(rest[0]) if rest else []
    residues = list("".join("".join(line.split()) for line in lines if line[:1] != ";").upper())
    identity = next(iter(header.split(maxsplit=1)), None) if with_id else None
    return Record(header.strip(), identity, residues)


FORMAT = InputFormat(
    suffixes=(".fa", ".fasta", ".faa"),
    compressible=True,
    cut=cut_sequences,
    read=read_sequences,
    records=sequence_records,
    max_tokens=MAX_TOKENS,
)
