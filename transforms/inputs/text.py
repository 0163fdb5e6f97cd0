"""Plain text, one document per line; compressed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.records import BOM, byte_values, cut_records, read_records
from elmo_beam.transforms.inputs.shards import Shard


def line_bounds(chunks: Iterable[bytes], position: int) -> Iterator[np.ndarray]:
    """The scan for lines, which end in a line feed; the last one perhaps without."""
    yield np.array([position])
    end = position
    for chunk in chunks:
        ends = np.flatnonzero(byte_values(chunk) == ord("\n")) + position + 1
        position += len(chunk)
        end = int(ends[-1]) if len(ends) else end
        yield ends
    if position > end:
        yield np.array([position])


def cut_lines(
    shard: Shard, settings: Settings, check: Callable[[bytes], None] = check_text
) -> tuple[str, list[Block]]:
    """As `cut_records`."""
    return cut_records(shard, settings, line_bounds, check)


def read_lines(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The lines of some blocks, in order, without BOM and line ends."""
    # Files with a BOM may have been joined to one, so that it begins any line.
    return read_records(shard, blocks, line_bounds, mark=BOM)


def line_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """Each line is its text."""
    return each_line(table, lambda raw: Record(decoded(raw)))


FORMAT = InputFormat(
    suffixes=(), compressible=True, cut=cut_lines, read=read_lines, records=line_records
)
