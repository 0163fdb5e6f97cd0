"""TFRecord parts: tf.train.Example if `default` is the only output, else SequenceExample.

One record per row. TensorFlow is imported only where records are written or read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.fields import checked_fields, kept_fields
from elmo_beam.transforms.outputs.formats import OutputFormat
from elmo_beam.transforms.outputs.schema import OCCURRENCE, part_schema
from elmo_beam.transforms.outputs.tfrecord_fields import feature_dtype, from_features, to_features


def write_tfrecord(table: pa.Table, settings: Settings, path: str) -> None:
    """One record a row, in order; with `pad_to`, empty tokens and zero vectors up to that many."""
    from elmo_beam.elmo.backend import tf

    try:
        with tf.io.TFRecordWriter(path) as writer:
            for batch in table.to_batches(max_chunksize=64):
                for example in _examples(batch, settings):
                    writer.write(example.SerializeToString())
    except tf.errors.OpError as error:  # a full disk, say: raise what Python's own files would
        raise OSError(str(error.message).split("; ")[-1]) from None


def _examples(batch: pa.RecordBatch, settings: Settings) -> Iterator[Any]:
    from elmo_beam.elmo.backend import tf

    fields = _kept_features(batch, settings)
    if settings.words:
        yield from _occurrences(batch, settings, fields)
        return
    token_outputs = [name for name in settings.outputs if name != SENTENCE_OUTPUT]
    for i in range(batch.num_rows):
        key = ":".join(str(batch[name][i]) for name in ("shard", "offset", "sentence"))
        context = {
            "id": _bytes([key]),
            "num_tokens": _int64(batch["num_tokens"][i].as_py()),
            **fields[i],
        }
        if SENTENCE_OUTPUT in settings.outputs:
            context[SENTENCE_OUTPUT] = _floats(batch[SENTENCE_OUTPUT][i].values)
        features = tf.train.Features(feature=context)
        if not token_outputs:
            yield tf.train.Example(features=features)
            continue
        tokens = batch["tokens"][i].as_py()
        padding = max(0, (settings.pad_to or 0) - len(tokens))
        lists = {"tokens": [_bytes([token]) for token in [*tokens, *[""] * padding]]}
        for name in token_outputs:
            vectors = batch[name][i].values
            width = vectors.type.list_size
            flat = np.asarray(vectors.flatten(), np.float32).reshape(-1, width)
            rows = np.concatenate([flat, np.zeros((padding, width), np.float32)])
            lists[name] = [_floats(row) for row in rows]
        feature_lists = {k: tf.train.FeatureList(feature=v) for k, v in lists.items()}
        yield tf.train.SequenceExample(
            context=features, feature_lists=tf.train.FeatureLists(feature_list=feature_lists)
        )


def _kept_features(batch: pa.RecordBatch, settings: Settings) -> list[dict[str, Any]]:
    """Each row's kept fields that are not null."""
    rows: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
    for name in kept_fields(settings.keep_fields).names:
        for row, feature in zip(rows, to_features(batch[name]), strict=True):
            if feature is not None:
                row[name] = feature
    return rows


def _occurrences(
    batch: pa.RecordBatch, settings: Settings, fields: list[dict[str, Any]]
) -> Iterator[Any]:
    """A tf.train.Example for each occurrence of a word."""
    from elmo_beam.elmo.backend import tf

    for i in range(batch.num_rows):
        key = ":".join(str(batch[name][i]) for name in ("shard", "offset", "sentence"))
        feature = {
            "id": _bytes([key]),
            "num_tokens": _int64(batch["num_tokens"][i].as_py()),
            "position": _int64(batch["position"][i].as_py()),
            "token": _bytes([batch["token"][i].as_py()]),
            "word": _bytes([batch["word"][i].as_py()]),
            **fields[i],
            **{name: _floats(batch[name][i].values) for name in settings.outputs},
        }
        yield tf.train.Example(features=tf.train.Features(feature=feature))


def _bytes(values: list[str]) -> Any:
    from elmo_beam.elmo.backend import tf

    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in values]))


def _int64(value: int) -> Any:
    from elmo_beam.elmo.backend import tf

    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _floats(values: Any) -> Any:
    from elmo_beam.elmo.backend import tf

    return tf.train.Feature(float_list=tf.train.FloatList(value=np.asarray(values, np.float32)))


def parse_tfrecord(
    serialized: Any,
    dims: dict[str, int],
    words: bool = False,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """One record as tensors; works inside `tf.data.Dataset.map`.

    Returns id (string []), num_tokens (int64 []), default (float32 [dim]), and if a token output is
    named, tokens (string [n]) and each output (float32 [n, dim]); n is num_tokens, or `pad_to`.
    With `words`, position (int64 []), token and word (string []), and each output (float32 [dim]).
    Each kept field is [], int64 for integers, truth values, dates and times, float32 for floats,
    and string for all else; null is 0, NaN or "".

    Args:
        serialized: string [].
        dims: the outputs in the record and their widths, such as `{"elmo": 256}`.
        words: whether the run is of words.
        fields: kept fields and their types, such as `{"label": "int64"}`.

    Raises:
        ArgumentError: for a type that is none.
    """
    from elmo_beam.elmo.backend import tf

    schema = kept_fields(checked_fields([f"{name}:{kind}" for name, kind in fields.items()]))
    features = {}
    for field in schema:
        dtype = feature_dtype(field.type)
        null = {tf.int64: 0, tf.float32: np.nan, tf.string: ""}[dtype]
        features[field.name] = tf.io.FixedLenFeature([], dtype, null)
    return _parsed(serialized, dims, words, features)


def _parsed(
    serialized: Any, dims: dict[str, int], words: bool, fields: dict[str, Any]
) -> dict[str, Any]:
    """fields: TensorFlow's specification of each kept field's feature."""
    from elmo_beam.elmo.backend import tf

    context = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "num_tokens": tf.io.FixedLenFeature([], tf.int64),
        **fields,
    }
    if words:
        context["position"] = tf.io.FixedLenFeature([], tf.int64)
        context |= {name: tf.io.FixedLenFeature([], tf.string) for name in ("token", "word")}
        context |= {name: tf.io.FixedLenFeature([dim], tf.float32) for name, dim in dims.items()}
        return dict(tf.io.parse_single_example(serialized, context))
    if SENTENCE_OUTPUT in dims:
        width = dims[SENTENCE_OUTPUT]
        context[SENTENCE_OUTPUT] = tf.io.FixedLenFeature([width], tf.float32)
    token_dims = {name: dim for name, dim in dims.items() if name != SENTENCE_OUTPUT}
    if not token_dims:
        return dict(tf.io.parse_single_example(serialized, context))
    sequences = {"tokens": tf.io.FixedLenSequenceFeature([], tf.string)}
    for name, dim in token_dims.items():
        sequences[name] = tf.io.FixedLenSequenceFeature([dim], tf.float32)
    return {
        name: tensor
        for part in tf.io.parse_single_sequence_example(serialized, context, sequences)
        for name, tensor in part.items()
    }


def kept_columns(settings: Settings) -> list[str]:
    """Those of `part_schema` that a record has: tokens only with a vector for each of them."""
    kept = {"shard", "offset", "sentence", "num_tokens", *settings.outputs}
    kept |= {*kept_fields(settings.keep_fields).names}
    if settings.words:
        kept |= {field.name for field in OCCURRENCE}
    elif set(settings.outputs) != {SENTENCE_OUTPUT}:
        kept.add("tokens")
    return [name for name in part_schema(settings).names if name in kept]


def read_tfrecord(path: str, settings: Settings, columns: Sequence[str] | None) -> pa.Table:
    """A part's rows, without the padding."""
    from elmo_beam.elmo.backend import tf

    dims = {name: output_dim(settings.model_options, name) for name in settings.outputs}
    fields = kept_fields(settings.keep_fields)
    features = {f.name: tf.io.RaggedFeature(feature_dtype(f.type)) for f in fields}
    values: dict[str, list[Any]] = {name: [] for name in fields.names}
    rows: list[dict[str, Any]] = []
    for serialized in tf.data.TFRecordDataset(path):
        tensors = _parsed(serialized, dims, bool(settings.words), features)
        record = {name: tensor.numpy() for name, tensor in tensors.items()}
        for name, own in values.items():  # none or one
            own.append(next(iter(record.pop(name)), None))
        shard, offset, sentence = record.pop("id").decode().rsplit(":", 2)
        n = int(record["num_tokens"])
        row: dict[str, Any] = {"shard": shard, "offset": int(offset), "sentence": int(sentence)}
        row["num_tokens"] = n
        for name, array in record.items():
            if name == "tokens":
                row[name] = [t.decode() for t in array[:n]]
            elif name in ("token", "word"):
                row[name] = array.decode()
            elif name == "position":
                row[name] = int(array)
            elif name != "num_tokens":
                row[name] = array if array.ndim == 1 else list(array[:n])
        rows.append(row)
    schema = part_schema(settings)
    kept = pa.schema([schema.field(name) for name in kept_columns(settings)])
    table = pa.Table.from_pylist(rows, schema=kept)
    for name, own in values.items():
        at, field = kept.get_field_index(name), fields.field(name)
        table = table.set_column(at, field, from_features(own, field.type))
    return table if columns is None else table.select(list(columns))


FORMAT = OutputFormat(
    write=write_tfrecord,
    read=read_tfrecord,
    columns=kept_columns,
    dtypes=("float32",),
    packing=lambda settings: 1.0,
    pads=True,
)
