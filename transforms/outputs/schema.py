"""The columns of a part, whatever its format."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.transforms.files.settings import Settings

DTYPES = {"float32": pa.float32(), "float16": pa.float16()}


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
    return pa.schema([f for f in fields if f.name != "id" or settings.id_field])


def part_schema(settings: Settings) -> pa.Schema:
    """A part's columns: the sentence's, then one per output."""
    schema, options = sentence_schema(settings), settings.model_options
    for name in settings.outputs:
        schema = schema.append(pa.field(name, vector_type(name, options, settings.dtype)))
    return schema


def vector_type(name: str, options: ModelOptions, dtype: str) -> pa.DataType:
    """fixed_size_list<float, dim> for a sentence's vector, a list of those for its tokens."""
    vector = pa.list_(DTYPES[dtype], output_dim(options, name))
    return vector if name == SENTENCE_OUTPUT else pa.list_(vector)


def vector_column(name: str, vectors: np.ndarray, offsets: np.ndarray, dtype: str) -> pa.Array:
    """Flat vectors [tokens or sentences, dim] as a column, without a copy if float32."""
    flat = pa.array(vectors.astype(dtype, copy=False).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    if name == SENTENCE_OUTPUT:
        return column
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column)
