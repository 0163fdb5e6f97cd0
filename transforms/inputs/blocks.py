"""Blocks: runs of whole lines or other records, cut by size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

UNEVEN = 16  # a table's blocks may be this many times as large as they should be on average


@dataclass(frozen=True)
class Block:
    """start, length: bytes of decompressed text, or rows of a table; line: its first line."""

    start: int
    length: int
    line: int
    lines: int


def cut_text(bounds: Iterable[np.ndarray], size: int) -> list[Block]:
    """The blocks of a text whose records have these bounds; none of them need fit into memory.

    bounds: in arrays, where the first record begins, then where each ends. From the first, records
    are added until the next would exceed `size` bytes; a longer record is a block by itself.
    """
    blocks: list[Block] = []
    start = end = -1  # the open block is start..end, whole records
    line = lines = 0

    def cut(stop: int, count: int) -> None:
        nonlocal start, end, line, lines
        blocks.append(Block(start, stop - start, line, count))
        start, end, line, lines = stop, max(end, stop), line + count, 0

    for array in bounds:
        i = 0
        if start < 0 and len(array):
            start, end, i = int(array[0]), int(array[0]), 1
        while i < len(array):
            fit = int(np.searchsorted(array, start + size, "right"))
            if fit > i:
                end, lines, i = int(array[fit - 1]), lines + fit - i, fit
            elif end > start:
                cut(end, lines)
            else:  # one record longer than a block
                cut(int(array[i]), 1)
                i += 1
    if end > start:
        cut(end, lines)
    return blocks


def cut_rows(sizes: np.ndarray, text_bytes: int, size: int) -> list[Block]:
    """The blocks of a table: equally many rows each, about `size` bytes of text.

    sizes: bytes [rows] that are kept of each row's text; text_bytes: of all text. Where rows are
    far larger than elsewhere, a block would be as large as they: it is halved until it has at most
    UNEVEN times `size`, or one row.
    """
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    per_block = max(1, size * len(sizes) // max(text_bytes, 1))

    def cut(start: int, stop: int) -> list[Block]:
        if stop - start > 1 and ends[stop] - ends[start] > UNEVEN * size:
            middle = (start + stop) // 2
            return cut(start, middle) + cut(middle, stop)
        return [Block(start, stop - start, start, stop - start)]

    starts = range(0, len(sizes), per_block)
    return [b for start in starts for b in cut(start, min(start + per_block, len(sizes)))]
