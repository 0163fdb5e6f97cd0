"""The output formats. To add one, write its module, which defines FORMAT, and name it here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names must be known without Arrow, for --help
    import pyarrow as pa

    from elmo_beam.transforms.files.settings import Settings

# By name, which is also the suffix of the parts: lower case letters and digits.
OUTPUT_FORMATS = {
    "parquet": "elmo_beam.transforms.outputs.parquet",
    "tfrecord": "elmo_beam.transforms.outputs.tfrecord",
}


@dataclass(frozen=True)
class OutputFormat:
    """How a block's table becomes a part file, and how that is read back.

    write: the table, which has the columns of `part_schema`, to a local path; raises OSError.
    read: a part's rows in order, with the columns that the format keeps, or those named.
    columns: the names of those that it keeps. dtypes: of vectors that it can hold. packing: bytes
    in a part per byte of raw vectors, about. pads: whether it honours `pad_to`.
    """

    write: Callable[[pa.Table, Settings, str], None]
    read: Callable[[str, Settings, Sequence[str] | None], pa.Table]
    columns: Callable[[Settings], list[str]]
    dtypes: tuple[str, ...]
    packing: Callable[[Settings], float]
    pads: bool


def output_format(name: str) -> OutputFormat:
    """The format of this name, which must be one of OUTPUT_FORMATS."""
    found: OutputFormat = import_module(OUTPUT_FORMATS[name]).FORMAT
    return found
