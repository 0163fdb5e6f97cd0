"""Plain text, one document per line; compressed or not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block, cut_text
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import (
    HEAD,
    LIMIT_LINE,
    Record,
    Rejected,
    cut_to_head,
    decoded,
    each_line,
    line_table,
)
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard
from elmo_beam.transforms.inputs.text_stream import TextStream

CHUNK = 4 << 20
BOM = b"\xef\xbb\xbf"


def cut_lines(
    shard: Shard, settings: Settings, check: Callable[[bytes], None] = check_text
) -> tuple[str, list[Block]]:
    """The sha256 of the decompressed text, and its blocks.

    check: raises Damaged if the first bytes, at most 4 MiB, are not those of the format.
    """
    sha = hashlib.sha256()

    def chunks(stream: TextStream) -> Iterator[bytes]:
        chunk = stream.read(CHUNK)
        check(chunk)
        while chunk:
            sha.update(chunk)
            yield chunk
            chunk = stream.read(CHUNK)

    with TextStream(shard) as stream:
        blocks = cut_text(chunks(stream), settings.block_size)
    return sha.hexdigest(), blocks


def read_lines(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The lines of some blocks, in order, without BOM and line ends."""
    with TextStream(shard) as stream:
        position = 0
        for block in blocks:
            stream.skip(block.start - position)
            position = block.start + block.length
            if block.lines == 1 and block.length > LIMIT_LINE + len(BOM + b"\r\n"):
                yield _long_line(stream, block)
            else:
                yield _lines(stream.read(block.length), block)


def _lines(data: bytes, block: Block) -> pa.Table:
    lines = data.split(b"\n")
    if data.endswith(b"\n"):
        lines.pop()
    if len(data) != block.length or len(lines) != block.lines:
        raise Damaged(CHANGED)
    lengths = np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines))
    offsets = block.start + np.cumsum(lengths) - lengths
    # Files with a BOM may have been joined to one, so that it begins any line.
    texts = [line.removeprefix(BOM).removesuffix(b"\r") for line in lines]
    return line_table([cut_to_head(text) for text in texts], [len(text) for text in texts], offsets)


def _long_line(stream: TextStream, block: Block) -> pa.Table:
    """A line that is too long to hold: its head, and its length without BOM and line end."""
    head = stream.read(HEAD + len(BOM))
    stream.skip(block.length - len(head) - len(b"\r\n"))
    tail = stream.read(len(b"\r\n"))
    if len(tail) != len(b"\r\n"):
        raise Damaged(CHANGED)
    text = head.removeprefix(BOM)
    end = tail.removesuffix(b"\n").removesuffix(b"\r")
    size = block.length - (len(head) - len(text)) - (len(tail) - len(end))
    return line_table([text[:HEAD]], [size], np.array([block.start]))


def line_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each line is its text."""
    return each_line(table, lambda raw: Record(decoded(raw)))


FORMAT = InputFormat(
    suffixes=(), compressible=True, cut=cut_lines, read=read_lines, records=line_records
)
