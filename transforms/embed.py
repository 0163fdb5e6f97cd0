"""Blocks of sentences to blocks with vectors, through Beam's RunInference."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.encoder.passes import SentenceEncoder
from elmo_beam.elmo.model.outputs import output_dim
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.temporary import temporary_errors_explained
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.outputs.schema import part_schema, vector_column
from elmo_beam.transforms.words.occurrences import occurrence_rows
from elmo_beam.transforms.words.pool import pooled_rows


@dataclass(frozen=True)
class EmbeddedBlock:
    """A block's part, as a table of `part_schema`, its rejects, and what the model did for it."""

    block: SentenceBlock
    part: pa.Table
    steps: int
    nodes: int
    lookups: int
    misses: int


def embed_block(
    block: SentenceBlock, encoder: SentenceEncoder, settings: Settings
) -> EmbeddedBlock:
    """Run a block's sentences through the model, in as many passes as memory requires.

    The vectors wait in files on the worker's disk, mapped into memory, so that those of a block
    take no more memory than those of one pass.
    """
    schema = part_schema(settings)
    if not len(block):
        return EmbeddedBlock(block, schema.empty_table(), 0, 0, 0, 0)
    sentences, dtype = sentences_of(block.sentences), settings.dtype
    if block.occurrences is not None:
        found = block.occurrences
        if settings.pool:
            part, work = pooled_rows(sentences, found, encoder, settings)
        else:
            part, work = occurrence_rows(block.sentences, sentences, found, encoder, settings)
        return EmbeddedBlock(block, part, *(int(n) for n in work))
    dims = {name: output_dim(encoder.options, name) for name in settings.outputs}
    work = np.zeros(4, np.int64)
    with temporary_errors_explained(), ExitStack() as stack:
        files = {name: stack.enter_context(TemporaryFile()) for name in dims}
        for encoded in encoder.passes(sentences, settings.outputs):
            work += encoded.work
            for name, vectors in encoded.vectors.items():
                rows = encoded.output_rows(name, sentences)
                write_rows(files[name], rows, vectors.astype(dtype, copy=False))
        columns = [
            vector_column(name, mapped(files[name], dim, dtype), sentences.offsets, dtype)
            for name, dim in dims.items()
        ]
    part = pa.table([*block.sentences.columns, *columns], schema=schema)
    return EmbeddedBlock(block, part, *(int(n) for n in work))


def write_rows(file: IO[bytes], rows: np.ndarray, vectors: np.ndarray) -> None:
    """Vectors [n, dim] at rows (int64 [n], ascending) of a file of such vectors alone."""
    if not len(rows):
        return
    # Consecutive rows go in one write: at least a sentence.
    begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        file.seek(int(rows[begin]) * vectors[0].nbytes)
        file.write(vectors[begin:end].data)


def mapped(file: IO[bytes], dim: int, dtype: str) -> np.ndarray:
    """[rows, dim], what was written; the mapping outlives the file."""
    file.flush()
    if not file.seek(0, os.SEEK_END):  # an empty file cannot be mapped
        return np.empty((0, dim), dtype)
    return np.memmap(file, dtype, "r").reshape(-1, dim)


def sentences_of(table: pa.Table) -> Sentences:
    """A block's tokens as the encoder takes them: interned by Arrow, not one by one."""
    tokens = table["tokens"].combine_chunks()
    interned = tokens.flatten().dictionary_encode()
    offsets = np.concatenate([[0], np.cumsum(np.asarray(table["num_tokens"]), dtype=np.int64)])
    ids = np.asarray(interned.indices, np.int32)
    return Sentences(interned.dictionary.to_pylist(), ids, offsets)
