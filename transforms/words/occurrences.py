"""Occurrences of words: their vectors among those of a block, and the rows of a run of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.encoder.passes import Encoded, SentenceEncoder
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.outputs.schema import one_vector_column, part_schema
from elmo_beam.transforms.words.finder import Occurrences


@dataclass(frozen=True)
class PassOccurrences:
    """The occurrences in the sentences of one pass through the model; int64, an item for each.

    own: its number among the block's. sentences, tokens: its rows among the pass's vectors, of the
    sentence and of the first token. lengths: in tokens.
    """

    own: np.ndarray
    sentences: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray

    def vectors(
        self, encoded: Encoded, name: str, part: slice | np.ndarray = slice(None)
    ) -> np.ndarray:
        """The vector of each, or of some: float32 [n, dim], the mean of its tokens' vectors."""
        if name == SENTENCE_OUTPUT:
            return encoded.vectors[name][self.sentences[part]]
        return _means_of_runs(encoded.vectors[name], self.tokens[part], self.lengths[part])


def occurrences_of(encoded: Encoded, found: Occurrences, sentences: Sentences) -> PassOccurrences:
    """Those of a block's occurrences that are in the sentences of one pass."""
    rows = np.asarray(found.rows)
    places = np.full(len(sentences), -1)  # of each sentence, among the pass's
    places[encoded.rows] = np.arange(len(encoded.rows))
    own = np.flatnonzero(places[rows] >= 0)
    lengths = sentences.lengths[encoded.rows]
    begins = np.cumsum(lengths) - lengths
    at = places[rows[own]]
    first = begins[at] + np.asarray(found.positions)[own]
    return PassOccurrences(own, at, first, np.asarray(found.lengths)[own])


def _means_of_runs(vectors: np.ndarray, begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The mean of each run of rows of `vectors` [n, dim]: float32 [len(begins), dim]."""
    means = vectors[begins].astype(np.float32, copy=False)
    for k in range(1, int(lengths.max(initial=1))):
        longer = np.flatnonzero(lengths > k)
        means[longer] += vectors[begins[longer] + k]
    return means / lengths[:, np.newaxis].astype(np.float32)


def occurrence_rows(
    table: pa.Table,
    sentences: Sentences,
    found: Occurrences,
    encoder: SentenceEncoder,
    settings: Settings,
) -> tuple[pa.Table, np.ndarray]:
    """A block's part, a row for each occurrence with one vector of each output; and the work.

    table: the block's sentences. The work is int64 [4]: steps, nodes, lookups and misses.
    """
    vectors = {
        name: np.empty((len(found), output_dim(encoder.options, name)), settings.dtype)
        for name in settings.outputs
    }
    work = np.zeros(4, np.int64)
    for encoded in encoder.passes(sentences, settings.outputs):
        work += encoded.work
        within = occurrences_of(encoded, found, sentences)
        for name, given in vectors.items():
            given[within.own] = within.vectors(encoded, name)
    rows = sentence_columns(table, found, settings)
    columns = {name: rows[name] for name in rows.column_names} | {
        "position": pa.array(found.positions, pa.int32()),
        "token": pa.array(found.tokens, pa.string()),
        "word": pa.array(np.array(settings.words, object)[found.words], pa.string()),
    }
    columns |= {name: one_vector_column(own, settings.dtype) for name, own in vectors.items()}
    schema = part_schema(settings)
    return pa.table([columns[name] for name in schema.names], schema=schema), work


def sentence_columns(table: pa.Table, found: Occurrences, settings: Settings) -> pa.Table:
    """What each occurrence's row has of its sentence: with `context`, its nearest tokens only."""
    if settings.context is None:
        return table.take(np.asarray(found.rows))
    rows = table.drop_columns(["text", "tokens"]).take(np.asarray(found.rows))
    tokens = table["tokens"].combine_chunks()
    offsets = np.asarray(tokens.offsets, np.int64) - tokens.offsets[0].as_py()
    at = np.asarray(found.rows, np.int64)
    begins = offsets[at] + np.asarray(found.positions)
    ends = begins + np.asarray(found.lengths)
    left = np.maximum(begins - settings.context, offsets[at])
    right = np.minimum(ends + settings.context, offsets[at + 1])
    flat = tokens.flatten()
    return rows.append_column("left", _runs(flat, left, begins)).append_column(
        "right", _runs(flat, ends, right)
    )


def _runs(values: pa.Array, begins: np.ndarray, ends: np.ndarray) -> pa.Array:
    """A list for each run of some values."""
    offsets = np.concatenate([[0], np.cumsum(ends - begins)])
    indices = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], ends - begins)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(indices)))
