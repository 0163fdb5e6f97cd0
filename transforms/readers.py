"""What a run wrote, read back a part at a time, in the input's order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from elmo.errors import UserError, cause_of
from elmo.outputs import SENTENCE_OUTPUT, output_dim
from transforms.formats import FORMATS
from transforms.layout import BLOCK_NAME, Layout, layout_of, shard_stem
from transforms.plan import recorded_shards
from transforms.schema import part_schema
from transforms.settings import Settings, read_settings
from transforms.storage import exists, join, list_names, local_copy

Key = str | tuple[str, int]


INCOMPLETE = "the same command finishes it; allow_incomplete=True reads what there is"


@dataclass(frozen=True)
class Run:
    """A run's parts. `shards`: their paths, in order."""

    layout: Layout
    settings: Settings
    shards: list[str]

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """A table a part, in the input's order: all columns that the format keeps, or some.

        Raises UserError for a column that the run does not have.
        """
        committed = {name.removesuffix(".json") for name in list_names(self.layout.blocks)}
        by_shard: dict[str, list[str]] = {}
        for name in list_names(self.layout.parts):
            match = BLOCK_NAME.fullmatch(name)
            if match and match["stem"] in committed:
                by_shard.setdefault(match["stem"].rpartition("-")[0], []).append(name)
        for shard in self.shards:
            for name in by_shard.get(shard_stem(shard), []):
                yield self._table(join(self.layout.parts, name), columns)

    def arrays(self, output: str) -> tuple[np.ndarray, np.ndarray]:
        """All of an output's vectors, flat, and where each sentence's begin.

        Float [tokens, dim] and int64 [sentences + 1]: sentence i has
        `vectors[offsets[i]:offsets[i + 1]]`. For `default` a sentence has one vector.
        """
        tables = list(self.tables(["num_tokens", output]))
        lengths = [np.asarray(table["num_tokens"], np.int64) for table in tables]
        if output == SENTENCE_OUTPUT:
            lengths = [np.ones_like(part) for part in lengths]
        none = np.zeros((0, self.dim(output)), self.settings.dtype)
        vectors = np.concatenate([none, *(self.vectors(table, output) for table in tables)])
        return vectors, np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)

    def dataframe(self, columns: Sequence[str] | None = None) -> Any:
        """All rows as a pandas DataFrame."""
        tables = list(self.tables(columns))
        if not tables:
            schema = part_schema(self.settings, self.settings.model_options)
            _check_columns(columns, schema.names)
            tables = [schema.empty_table().select(list(columns or schema.names))]
        return pa.concat_tables(tables).to_pandas()

    def rows(
        self, output: str, labels: Mapping[Key, Any] | None = None
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Each sentence's vectors of one output, with its label, None without `labels`.

        Float [tokens, dim], or [dim] for `default`. labels: by id where the run has ids, else by
        (shard, line); TFRecord keeps neither, so there by (shard, offset). Raises UserError for a
        sentence that has no label.
        """
        parquet = self.settings.format == "parquet"
        keys = ["shard", "line" if parquet else "offset"]
        if parquet and self.settings.id_field:
            keys = ["id"]
        if labels is None:
            keys = []
        for table in self.tables([*keys, "num_tokens", output]):
            vectors, at = self.vectors(table, output), 0
            columns = [table[name].to_pylist() for name in keys]
            for i, n in enumerate(table["num_tokens"].to_pylist()):
                own = vectors[i] if output == SENTENCE_OUTPUT else vectors[at : at + n]
                at += n
                if labels is None:
                    yield own, None
                    continue
                key = tuple(column[i] for column in columns)
                yield own, _label(labels, key if len(key) > 1 else key[0])

    def dim(self, output: str) -> int:
        """The width of an output's vectors."""
        return output_dim(self.settings.model_options, output)

    def vectors(self, table: pa.Table, output: str) -> np.ndarray:
        """A table's vectors of one output: [tokens, dim], or [sentences, dim] for `default`."""
        column = table[output].combine_chunks()
        while pa.types.is_nested(column.type):
            column = column.flatten()
        return np.asarray(column, self.settings.dtype).reshape(-1, self.dim(output))

    def _table(self, path: str, columns: Sequence[str] | None) -> pa.Table:
        try:
            with local_copy(path) as local:
                if self.settings.format == "parquet":
                    known = pq.read_schema(local).names
                    _check_columns(columns, known)
                    names = known if columns is None else list(columns)
                    return pq.read_table(local, columns=names, partitioning=None)
                table = FORMATS[self.settings.format].read(local, self.settings)
        except UserError:
            raise
        except Exception as error:  # each reader raises its own
            raise UserError(
                f"{path} is damaged ({cause_of(error)}): `elmo-beam verify` says what to do"
            ) from None
        _check_columns(columns, table.column_names)
        return table if columns is None else table.select(list(columns))


def open_run(folder: str, allow_incomplete: bool = False) -> Run:
    """The run in an output folder; UserError where it has not ended, unless that is allowed."""
    layout = layout_of(folder)
    settings = read_settings(layout)
    if not allow_incomplete and not exists(layout.success):
        raise UserError(f"the run in {layout.root} is not complete: {INCOMPLETE}")
    return Run(layout, settings, recorded_shards(layout))


def tf_dataset(
    run: Run, output: str, batch_size: int, labels: Mapping[Key, Any] | None = None
) -> Any:
    """A tf.data.Dataset of padded batches: ({"vectors", "mask"}, label), or without the label.

    vectors: float32 [batch, tokens, dim], zero behind a sentence's end; mask: bool [batch, tokens].
    For `default`, vectors alone: float32 [batch, dim].
    """
    from elmo.backend import tf

    dim, one = run.dim(output), output == SENTENCE_OUTPUT

    def rows() -> Iterator[Any]:
        for vectors, label in run.rows(output, labels):
            found = {"vectors": np.asarray(vectors, np.float32)}
            if not one:
                found["mask"] = np.ones(len(vectors), bool)
            features = found["vectors"] if one else found
            yield features if labels is None else (features, label)

    shape = [dim] if one else [None, dim]
    signature: Any = tf.TensorSpec(shape, tf.float32)
    if not one:
        signature = {"vectors": signature, "mask": tf.TensorSpec([None], tf.bool)}
    if labels is not None:
        if not labels:
            raise UserError("labels is empty: it must have every row's key")
        every = np.asarray(list(labels.values()))
        signature = (signature, tf.TensorSpec(every.shape[1:], tf.as_dtype(every.dtype)))
    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    return dataset.padded_batch(batch_size)


def torch_dataset(run: Run, output: str, labels: Mapping[Key, Any] | None = None) -> Any:
    """A PyTorch IterableDataset of (vectors, label), or of vectors alone: float32 tensors.

    A DataLoader's workers share the sentences among them. Needs PyTorch, which elmo-beam does not.
    """
    import torch

    class Rows(torch.utils.data.IterableDataset):
        def __reduce__(self) -> Any:  # workers that are spawned, not forked, get it pickled
            return torch_dataset, (run, output, labels)

        def __iter__(self) -> Iterator[Any]:
            worker = torch.utils.data.get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            for vectors, label in itertools.islice(run.rows(output, labels), first, None, step):
                tensor = torch.from_numpy(np.array(vectors, np.float32))
                yield tensor if labels is None else (tensor, label)

    return Rows()


def _label(labels: Mapping[Key, Any], key: Any) -> Any:
    try:
        return labels[key]
    except KeyError:
        raise UserError(f"no label for {key!r}: labels must have every row's key") from None


def _check_columns(columns: Sequence[str] | None, known: Sequence[str]) -> None:
    for name in columns or ():
        if name not in known:
            raise UserError(f"no column {name!r} in this run: it has {', '.join(known)}")
