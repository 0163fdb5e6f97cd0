"""Small shards, blocks and models for the tests of the middle floor."""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import zstandard
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline

from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm, write_bilm
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.transforms.accounts import BlockKey, Piece
from elmo_beam.transforms.embed import EmbeddedBlock
from elmo_beam.transforms.files.layout import block_stem, shard_stem
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.inputs.shards import Shard
from elmo_beam.transforms.normalize import SentenceBlock, normalize_block
from elmo_beam.transforms.outputs.schema import part_schema, vector_column
from elmo_beam.transforms.plan import Plan, make_plan
from elmo_beam.transforms.read import RawBlock
from elmo_beam.transforms.text.reader import TextReader
from tests.helpers.oracle import random_weights

TINY = ModelOptions(
    filters=((1, 3), (2, 4)),
    char_dim=2,
    activation="relu",
    n_highway=1,
    max_characters=12,
    lstm_dim=6,
    projection_dim=3,
    n_layers=2,
    cell_clip=3.0,
    proj_clip=3.0,
    use_skip_connections=True,
)
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
LIMIT = 1 << 20  # bytes of the longest line that is embedded
HEAD = 1 << 16  # bytes that are kept of a longer one
REASONS = (
    "invalid_utf8",
    "lone_surrogate",
    "line_too_long",
    "too_many_tokens",
    "not_json",
    "not_an_object",
    "missing_field",
    "not_a_string",
    "null_text",
    "bad_id",
    "bad_field",
    "bad_columns",
    "bad_ids",
    "bad_quotes",
)


def make_settings(**changes: Any) -> Settings:
    """Settings of a run with the tiny model's shape."""
    return Settings(**{"digest": "0" * 64, "options": TINY.to_json(), **changes})


@cache
def tiny_model(folder: Path) -> Weights:
    """Put a tiny model of random weights into a folder, in the published layout; its weights."""
    write_bilm(random_weights(TINY, seed=3), folder)
    return read_bilm(folder)


def model_settings(folder: Path, **changes: Any) -> Settings:
    """Settings of a run with the tiny model, which is put into the folder."""
    return make_settings(model=str(folder), digest=tiny_model(folder).digest, **changes)


def write_shard(path: Path, data: bytes) -> str:
    """Write text, compressed as the name's suffix says; its path as the pipeline names it."""
    suffix = path.suffix if path.suffix in COMPRESSIONS else ""
    path.write_bytes(COMPRESSIONS[suffix](data))
    return str(path)


def lines_of_bytes(data: bytes) -> list[bytes]:
    """Lines with their line feeds, the last one perhaps without."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def slow_blocks(data: bytes, size: int) -> list[Block]:
    """The definition: whole lines are added until the next would exceed the size."""
    blocks: list[Block] = []
    taken: list[bytes] = []
    start = line = 0
    for text in [*lines_of_bytes(data), None]:
        if taken and (text is None or len(b"".join(taken)) + len(text) > size):
            blocks.append(Block(start, len(b"".join(taken)), line, len(taken)))
            start, line = start + blocks[-1].length, line + len(taken)
            taken = []
        if text is not None:
            taken.append(text)
    return blocks


def read_blocks(shard: Shard, blocks: Sequence[Block], settings: Settings) -> Iterator[pa.Table]:
    """The raw lines of some blocks of a shard, as the job reads them."""
    return input_format(shard.path).read(shard, blocks, settings)


def read_shard(path: str, settings: Settings) -> tuple[Plan, list[RawBlock]]:
    """A shard's plan, which must not be damaged, and all its blocks of raw lines."""
    plan = make_plan(path, settings)
    assert plan.damaged is None, plan.damaged
    tables = read_blocks(plan.shard, plan.blocks, settings)
    blocks = [RawBlock(key, [table]) for key, table in zip(plan.keys, tables, strict=True)]
    return plan, blocks


def records_of(path: str, **changes: Any) -> list[tuple[int, Record | str]]:
    """(offset, what it says, or the reason why not) of each record of a shard."""
    run = make_settings(**changes)
    plan, blocks = read_shard(path, run)
    numbers = [block.key.pieces[0].block.line + i for block in blocks for i in range(len(block))]
    assert numbers == list(range(plan.lines))
    records = input_format(path).records
    return [
        (offset, record.reason if isinstance(record, Rejected) else record)
        for block in blocks
        for table in block.tables
        for offset, record in zip(table["offset"].to_pylist(), records(table, run), strict=True)
    ]


def raw_lines(blocks: Sequence[RawBlock]) -> list[tuple[bytes | None, int, int]]:
    """(raw, length, offset) of all lines."""
    rows = [row for block in blocks for table in block.tables for row in table.to_pylist()]
    return [(row["raw"], row["length"], row["offset"]) for row in rows]


def raw_block(
    lines: Sequence[bytes | None],
    ids: Sequence[Any] | None = None,
    shard: str | None = None,
    first_line: int = 0,
) -> RawBlock:
    """A block as `read_span` gives it for lines that each end in one line feed.

    shard: a text file, or, with ids, which such a file has not, a Parquet file.
    """
    sizes = [len(line or b"") for line in lines]
    offsets = [sum(sizes[:i]) + i for i in range(len(sizes))]
    columns: dict[str, Any] = {
        "raw": pa.array(lines, pa.large_binary()),
        "length": pa.array(sizes, pa.int64()),
        "offset": pa.array(offsets, pa.int64()),
    }
    if ids is not None:
        columns["id"] = pa.array(ids)
    shard = shard or ("/in/a.txt" if ids is None else "/in/a.parquet")
    block = Block(0, sum(sizes) + len(sizes), first_line, len(lines))
    key = BlockKey(block_stem(shard_stem(shard), 0), (Piece(shard, "content", block),))
    return RawBlock(key, [pa.table(columns)])


def normalized(raw: RawBlock, settings: Settings) -> SentenceBlock:
    """A block of raw lines as the pipeline normalizes it."""
    return normalize_block(raw, TextReader(settings), settings)


def rows_of(block: SentenceBlock) -> list[dict[str, Any]]:
    """A block's sentences as rows."""
    return block.sentences.to_pylist()


def embedded_block(block: SentenceBlock, settings: Settings, seed: int = 0) -> EmbeddedBlock:
    """A block with random vectors in place of a model's."""
    rng = np.random.default_rng(seed)
    lengths = [row["num_tokens"] for row in rows_of(block)]
    offsets = np.cumsum([0, *lengths])
    columns = [column.combine_chunks() for column in block.sentences.columns]
    for name in settings.outputs:
        count = len(lengths) if name == SENTENCE_OUTPUT else sum(lengths)
        vectors = rng.normal(size=(count, output_dim(TINY, name))).astype(np.float32)
        columns.append(vector_column(name, vectors, offsets, settings.dtype))
    part = pa.table(columns, schema=part_schema(settings))
    return EmbeddedBlock(block, part, steps=14, nodes=12, lookups=7, misses=3)


def local_pipeline() -> TestPipeline:
    """A pipeline in this process; Beam's own default would try to fetch another runner first."""
    return TestPipeline(runner=FnApiRunner())


_KEPT: dict[int, list[Any]] = {}  # by the id of the list: Beam pickles what it runs


class Keep(beam.DoFn):
    """Put every element into a list of this process, for a test to look at."""

    def __init__(self, kept: list[Any]) -> None:
        self._key = id(kept)
        _KEPT[self._key] = kept

    def process(self, element: Any) -> None:
        _KEPT[self._key].append(element)
