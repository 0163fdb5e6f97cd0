"""Blocks of sentences to blocks with vectors, through Beam's RunInference."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from elmo.models import Engine
from elmo.sentences import Sentences
from transforms.normalize import SentenceBlock
from transforms.schema import part_schema, vector_column
from transforms.settings import Settings


@dataclass(frozen=True)
class EmbeddedBlock:
    """A block's part, as a table of `part_schema`, its rejects, and what the model did for it."""

    block: SentenceBlock
    part: pa.Table
    steps: int
    nodes: int
    lookups: int
    misses: int


def embed_block(block: SentenceBlock, engine: Engine, settings: Settings) -> EmbeddedBlock:
    """Run a block's sentences through the model, in as many passes as memory asks for.

    Where there are several, their rows wait in a file on the worker's disk, mapped into memory, so
    that a block's vectors take no more memory than one pass.
    """
    schema = part_schema(settings, engine.options)
    work = np.zeros(4, np.int64)

    def batches() -> Iterator[pa.RecordBatch]:
        for encoded in engine.batches(sentences_of(block.sentences), settings.outputs):
            work[:] += encoded.steps, encoded.nodes, encoded.lookups, encoded.misses
            rows = block.sentences.slice(encoded.start, encoded.stop - encoded.start)
            lengths = np.asarray(rows["num_tokens"])
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            vectors = [
                vector_column(name, encoded.vectors[name], offsets, settings.dtype)
                for name in settings.outputs
            ]
            columns = [column.combine_chunks() for column in rows.columns]
            yield pa.record_batch([*columns, *vectors], schema=schema)

    part = _collect(batches(), schema, len(block)) if len(block) else schema.empty_table()
    return EmbeddedBlock(block, part, *(int(n) for n in work))


def sentences_of(table: pa.Table) -> Sentences:
    """A block's tokens as the encoder takes them: interned by Arrow, not one by one."""
    tokens = table["tokens"].combine_chunks()
    interned = tokens.flatten().dictionary_encode()
    offsets = np.concatenate([[0], np.cumsum(np.asarray(table["num_tokens"]), dtype=np.int64)])
    ids = np.asarray(interned.indices, np.int32)
    return Sentences(interned.dictionary.to_pylist(), ids, offsets)


def _collect(batches: Iterator[pa.RecordBatch], schema: pa.Schema, rows: int) -> pa.Table:
    first = next(batches)
    if first.num_rows == rows:
        return pa.Table.from_batches([first])
    handle, path = tempfile.mkstemp(suffix=".arrow")
    os.close(handle)
    try:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)
        # The mapping outlives the name: nothing is left to clean up, however the worker ends.
        return pa.ipc.open_file(pa.memory_map(path)).read_all()
    finally:
        os.remove(path)
