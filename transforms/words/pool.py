"""Pooling: a block's occurrences of each word as their number, sum and sum of squares."""

from __future__ import annotations

from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.encoder.passes import SentenceEncoder
from elmo_beam.elmo.model.outputs import output_dim
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.temporary import temporary_errors_explained
from elmo_beam.transforms.outputs.schema import one_vector_column, part_schema
from elmo_beam.transforms.words.finder import Occurrences
from elmo_beam.transforms.words.occurrences import occurrences_of

AT_ONCE = 4096  # occurrences whose vectors are in float64
ZEROS = bytes(1 << 20)


def pooled_rows(
    sentences: Sentences, found: Occurrences, encoder: SentenceEncoder, settings: Settings
) -> tuple[pa.Table, np.ndarray]:
    """A block's part, a row for each word that occurs in it, in the list's order; and the work.

    The work is int64 [4]: steps, nodes, lookups and misses. The sums grow pass by pass, in files
    mapped into memory.
    """
    numbers, places = np.unique(np.asarray(found.words), return_inverse=True)
    totals = {
        name: zeros_on_disk(len(numbers), output_dim(encoder.options, name))
        for name in settings.outputs
    }
    work = np.zeros(4, np.int64)
    for encoded in encoder.passes(sentences, settings.outputs):
        work += encoded.work
        within = occurrences_of(encoded, found, sentences)
        words = places[within.own]
        by_word = np.argsort(words, kind="stable")
        for begin in range(0, len(by_word), AT_ONCE):
            some = by_word[begin : begin + AT_ONCE]
            rows, starts = np.unique(words[some], return_index=True)
            for name, (sums, squares) in totals.items():
                vectors = within.vectors(encoded, name, some).astype(np.float64)
                sums[rows] += np.add.reduceat(vectors, starts)
                squares[rows] += np.add.reduceat(vectors * vectors, starts)
    columns: list[pa.Array] = [
        pa.array(np.array(settings.words, object)[numbers], pa.string()),
        pa.array(np.bincount(places, minlength=len(numbers)), pa.int64()),
    ]
    columns += [one_vector_column(both, "float64") for pair in totals.values() for both in pair]
    return pa.table(columns, schema=part_schema(settings)), work


def zeros_on_disk(rows: int, dim: int) -> np.ndarray:
    """float64 [2, rows, dim] of zeros: a temporary file mapped into memory.

    Its bytes are written first: a mapping for which the disk has no room would kill the process.
    Raises UserError if there is none.
    """
    size = 2 * rows * dim * 8
    with temporary_errors_explained(), TemporaryFile() as file:
        for written in range(0, size, len(ZEROS)):
            file.write(ZEROS[: size - written])
        file.flush()
        if not size:  # an empty file cannot be mapped
            return np.zeros((2, rows, dim))
        return np.memmap(file, np.float64, "r+", shape=(2, rows, dim))
