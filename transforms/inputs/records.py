"""Text files of records: found by a scan, cut into blocks and read again; compressed or not.

A scan takes a text in chunks of any size and gives the bounds of its records, ascending positions
(int64) in arrays: where the first record begins, then where each ends, which is where the next one
begins. It holds no more than a chunk, so a record may be of any size. Scanned alone, what lies
between two bounds has the same bounds in it. Positions count from the one that it is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block, cut_text
from elmo_beam.transforms.inputs.lines import HEAD, LIMIT_LINE, cut_to_head, line_table
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.shards import CHANGED, Damaged, Shard
from elmo_beam.transforms.inputs.text_stream import TextStream

CHUNK = 4 << 20
BOM = b"\xef\xbb\xbf"

Scan = Callable[[Iterable[bytes], int], Iterator[np.ndarray]]


def cut_records(
    shard: Shard, settings: Settings, scan: Scan, check: Callable[[bytes], None] = check_text
) -> tuple[str, list[Block]]:
    """The sha256 of the decompressed text, and its blocks, with `limit` those of the first records.

    Of a text with more records, only what must be read to find them is read and counts for the
    sha256. check: raises Damaged if the first bytes, at most 4 MiB, are not those of the format.
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
        bounds = scan(chunks(stream), 0)
        if settings.limit is not None:
            bounds = _first_records(bounds, settings.limit)
        blocks = cut_text(bounds, settings.block_size)
    return sha.hexdigest(), blocks


def _first_records(bounds: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    left = count + 1  # one bound more than records
    while left > 0 and (array := next(bounds, None)) is not None:
        yield array[:left]
        left -= len(array)


def read_records(
    shard: Shard, blocks: Sequence[Block], scan: Scan, mark: bytes = b""
) -> Iterator[pa.Table]:
    """The records of some blocks, in order, without their last line end.

    mark: what any record may begin with that is no part of it.
    """
    with TextStream(shard) as stream:
        position = 0
        for block in blocks:
            stream.skip(block.start - position)
            position = block.start + block.length
            if block.lines == 1 and block.length > LIMIT_LINE + len(mark + b"\r\n"):
                yield _long_record(stream, block, mark)
            else:
                yield _records(stream.read(block.length), block, scan, mark)


def _records(data: bytes, block: Block, scan: Scan, mark: bytes) -> pa.Table:
    bounds = np.concatenate([np.zeros(0, np.int64), *scan([data], 0)])
    whole = len(data) == block.length and len(bounds) == block.lines + 1
    if not whole or (bounds[0], bounds[-1]) != (0, len(data)):
        raise Damaged(CHANGED)
    texts = [
        data[start:end].removeprefix(mark).removesuffix(b"\n").removesuffix(b"\r")
        for start, end in pairwise(bounds.tolist())
    ]
    sizes = [len(text) for text in texts]
    return line_table([cut_to_head(text) for text in texts], sizes, block.start + bounds[:-1])


def _long_record(stream: TextStream, block: Block, mark: bytes) -> pa.Table:
    """A record that is too long to hold: its head, and its length without mark and line end."""
    head = stream.read(HEAD + len(mark))
    stream.skip(block.length - len(head) - len(b"\r\n"))
    tail = stream.read(len(b"\r\n"))
    if len(tail) != len(b"\r\n"):
        raise Damaged(CHANGED)
    text = head.removeprefix(mark)
    end = tail.removesuffix(b"\n").removesuffix(b"\r")
    size = block.length - (len(head) - len(text)) - (len(tail) - len(end))
    return line_table([text[:HEAD]], [size], np.array([block.start]))


def byte_values(chunk: bytes) -> np.ndarray:
    """A chunk as uint8 [bytes], without a copy."""
    return np.frombuffer(chunk, np.uint8)


def after_mark(scan: Scan) -> Scan:
    """The scan of a whole file, whose BOM, if it begins with one, is not part of the text."""

    def bounds(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
        rest, head = iter(chunks), b""
        while len(head) < len(BOM) and (chunk := next(rest, None)) is not None:
            head += chunk
        text = head.removeprefix(BOM)
        yield from scan(chain([text], rest), position + len(head) - len(text))

    return bounds
