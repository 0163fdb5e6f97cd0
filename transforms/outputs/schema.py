"""The columns of a part, whatever its format."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.fields import kept_fields

DTYPES = {"float32": pa.float32(), "float16": pa.float16()}
OCCURRENCE = (
    pa.field("position", pa.int32()),
    pa.field("token", pa.string()),
    pa.field("word", pa.string()),
)


def sentence_schema(settings: Settings) -> pa.Schema:
    """The columns of every row before its vectors."""
    fields = [
        pa.field("shard", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("sentence", pa.int32()),
        pa.field("id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("tokens", pa.list_(pa.string())),
        pa.field("num_tokens", pa.int32()),
        pa.field("truncated", pa.bool_()),
    ]
    given = [f for f in fields if f.name != "id" or settings.id_field]
    at = [f.name for f in given].index("text")
    return pa.schema([*given[:at], *kept_fields(settings.keep_fields), *given[at:]])


def part_schema(settings: Settings) -> pa.Schema:
    """A part's columns: the sentence's, the occurrence's if a run is of words, one per output."""
    schema, options = sentence_schema(settings), settings.model_options
    if settings.words:
        at = schema.get_field_index("text")
        for i, field in enumerate(OCCURRENCE):
            schema = schema.insert(at + i, field)
    for name in settings.outputs:
        vector = pa.list_(DTYPES[settings.dtype], output_dim(options, name))
        one = has_one_vector(settings, name)
        schema = schema.append(pa.field(name, vector if one else pa.list_(vector)))
    return schema


def has_one_vector(settings: Settings, name: str) -> bool:
    """Whether a row has one vector of an output, fixed_size_list<float, dim>.

    So for a sentence's vector, and where a row is an occurrence of a word; else a row has a list of
    them, one for each token.
    """
    return name == SENTENCE_OUTPUT or bool(settings.words)


def one_vector_column(vectors: np.ndarray, dtype: str) -> pa.Array:
    """Vectors [rows, dim] as a column of one for each row, without a copy if float32."""
    flat = pa.array(vectors.astype(dtype, copy=False).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def vector_column(name: str, vectors: np.ndarray, offsets: np.ndarray, dtype: str) -> pa.Array:
    """Flat vectors [tokens or sentences, dim] as a column, without a copy if float32."""
    column = one_vector_column(vectors, dtype)
    if name == SENTENCE_OUTPUT:
        return column
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column)
