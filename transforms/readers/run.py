"""A run's rows, read back one part at a time, in the input's order."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.arguments import check_choice, check_count, name_list, path_text
from elmo_beam.elmo.errors import ArgumentError, UserError, cause_of
from elmo_beam.elmo.formats.handles import StrPath
from elmo_beam.elmo.model.outputs import output_dim
from elmo_beam.elmo.wording import counted
from elmo_beam.transforms.files.layout import BLOCK_NAME, Layout, layout_of
from elmo_beam.transforms.files.settings import Settings, read_settings
from elmo_beam.transforms.files.storage import exists, join, list_names, local_copy, read_bytes
from elmo_beam.transforms.inputs.fields import kept_fields
from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.outputs.schema import has_one_vector, part_schema
from elmo_beam.transforms.packs import Planned, recorded_plans
from elmo_beam.transforms.readers.labels import (
    Labels,
    check_field_is_label,
    check_labels_argument,
    label_columns,
    label_spec,
    labels_of,
)


@dataclass(frozen=True)
class Run:
    """A run and its parts, as `open_run` and `embed` give it."""

    layout: Layout
    settings: Settings
    plans: list[Planned]  # of its inputs, in the order of its rows

    def __repr__(self) -> str:
        state = "complete" if self.complete else "not complete"
        return (
            f"Run({self.layout.root!r}: {state}, {counted(len(self.shards), 'file')}, "
            f"{', '.join(self.settings.outputs)} of {self.settings.model})"
        )

    @property
    def shards(self) -> list[str]:
        """The paths of its inputs, in order."""
        return sorted(plan.shard.path for planned in self.plans for plan in planned.plans)

    @property
    def complete(self) -> bool:
        """Whether every line of every input is accounted for."""
        return exists(self.layout.success)

    @property
    def manifest(self) -> dict[str, Any]:
        """The accounts, settings and figures in manifest.json; empty if there is none to read."""
        try:
            return dict(json.loads(read_bytes(self.layout.manifest) or b"{}"))
        except ValueError:
            return {}

    @property
    def columns(self) -> list[str]:
        """The names of the columns that the parts have."""
        return output_format(self.settings.format).columns(self.settings)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """One table per part, in the input's order: all columns that the format keeps, or some.

        A pack of small files stands in the place of its first file.

        Raises UserError for a column that the run does not have.
        """
        if columns is not None:
            columns = name_list("columns", columns)
        self._check_columns(columns)
        for path in self.part_paths():
            yield self._table(path, columns)

    def part_paths(self) -> Iterator[str]:
        """The parts of the blocks that are done, in the input's order."""
        committed = {name.removesuffix(".json") for name in list_names(self.layout.blocks)}
        by_plan: dict[str, list[str]] = {}
        for name in list_names(self.layout.parts):
            match = BLOCK_NAME.fullmatch(name)
            if match and match["stem"] in committed:
                by_plan.setdefault(match["plan"], []).append(name)
        for planned in self.plans:
            for name in by_plan.get(planned.stem, []):
                yield join(self.layout.parts, name)

    def arrays(self, output: str) -> tuple[np.ndarray, np.ndarray]:
        """All of an output's vectors, flat, and where those of each sentence begin.

        Float [tokens, dim] and int64 [sentences + 1]: sentence i has
        `vectors[offsets[i]:offsets[i + 1]]`. For `default` a sentence has one vector; so has a row
        if the run is of words.
        """
        self.check_rows()
        none = np.zeros((0, self.dim(output)), self.settings.dtype)
        tables = list(self.tables(["num_tokens", output]))
        lengths = [np.asarray(table["num_tokens"], np.int64) for table in tables]
        if has_one_vector(self.settings, output):
            lengths = [np.ones_like(part) for part in lengths]
        vectors = np.concatenate([none, *(self.vectors(table, output) for table in tables)])
        return vectors, np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)

    def dataframe(self, columns: Sequence[str] | None = None) -> Any:
        """All rows as a pandas DataFrame; UserError if pandas is not installed."""
        check_installed("pandas")
        tables = list(self.tables(columns))
        if not tables:
            tables = [part_schema(self.settings).empty_table().select(columns or self.columns)]
        return pa.concat_tables(tables).to_pandas()

    def rows(self, output: str, labels: Labels | None = None) -> Iterator[tuple[np.ndarray, Any]]:
        """Each row's vectors of one output, with its label, or None without `labels`.

        Float [tokens, dim], or [dim] for `default` and for a run of words. `labels` are by id if
        the run has ids, else by (shard, line); by (shard, offset) if the format keeps neither, as
        TFRecord. Or they are the name of a kept field. Raises UserError for a sentence that has no
        label, or null.
        """
        self.check_rows()
        own_labels: list[Any]
        keys = self._label_columns(labels) if labels is not None else []
        for table in self.tables([*keys, "num_tokens", output]):
            vectors, at = self.vectors(table, output), 0
            one = has_one_vector(self.settings, output)
            own_labels = [None] * table.num_rows if labels is None else labels_of(table, labels)
            for i, n in enumerate(table["num_tokens"].to_pylist()):
                own = vectors[i] if one else vectors[at : at + n]
                at += n
                yield own, own_labels[i]

    def check_labels(self, labels: Labels) -> None:
        """UserError for a sentence that has no label in `labels`, as for `rows`."""
        self.check_rows()
        for table in self.tables(self._label_columns(labels)):
            labels_of(table, labels)

    def dim(self, output: str) -> int:
        """The width of an output's vectors; ArgumentError if the run lacks it."""
        check_choice("output", output, self.settings.outputs)
        return output_dim(self.settings.model_options, output)

    def vectors(self, table: pa.Table, output: str) -> np.ndarray:
        """A table's vectors of one output: [tokens, dim], or [sentences, dim] for `default`."""
        column = table[output].combine_chunks()
        while pa.types.is_nested(column.type):
            column = column.flatten()
        return np.asarray(column, self.settings.dtype).reshape(-1, self.dim(output))

    @property
    def fields(self) -> pa.Schema:
        """The kept fields and their types."""
        return kept_fields(self.settings.keep_fields)

    def _label_columns(self, labels: Labels) -> list[str]:
        if isinstance(labels, str):
            check_labels_argument(labels, self.fields)
        return label_columns(self.columns, labels)

    def check_rows(self) -> None:
        """ArgumentError if the run is pooled."""
        if self.settings.pool:
            raise ArgumentError(
                "a pooled run has no rows of text: elmo_beam.pooled_words(run) reads its words, "
                "Run.tables its parts"
            )

    def _table(self, path: str, columns: Sequence[str] | None) -> pa.Table:
        with damage_explained(path), local_copy(path) as local:
            return output_format(self.settings.format).read(local, self.settings, columns)

    def _check_columns(self, columns: Sequence[str] | None) -> None:
        for name in columns or ():
            if name not in self.columns:
                raise UserError(f"no column {name!r} in this run: it has {', '.join(self.columns)}")


@contextmanager
def damage_explained(path: str) -> Iterator[None]:
    """UserError for a file of a run that cannot be read."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each reader raises its own
        raise UserError(
            f"{path} is damaged ({cause_of(error)}): `elmo-beam verify` says what to do"
        ) from None


def open_run(folder: StrPath, allow_incomplete: bool = False) -> Run:
    """The run in an output folder; UserError if it is not complete, unless that is allowed."""
    layout = layout_of(path_text("folder", folder))
    settings = read_settings(layout)
    run = Run(layout, settings, recorded_plans(layout))
    if not allow_incomplete and not run.complete:
        raise UserError(
            f"the run in {layout.root} is not complete: the same command finishes it; "
            "allow_incomplete=True reads what there is"
        )
    return run


def tf_dataset(run: Run, output: str, batch_size: int, labels: Labels | None = None) -> Any:
    """A tf.data.Dataset of padded batches: ({"vectors", "mask"}, label), or without the label.

    The vectors are float32 [batch, tokens, dim], zero after a sentence's end, and the mask is bool
    [batch, tokens]; for `default`, vectors alone: float32 [batch, dim]. `labels` are as for
    `Run.rows`, numbers or strings, those of a kept field in its type; raises UserError if a
    sentence has none.
    """
    from elmo_beam.elmo.backend import tf

    check_count("batch_size", batch_size)
    check_dataset(run, output, labels)
    dim, one = run.dim(output), has_one_vector(run.settings, output)

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
        signature = (signature, label_spec(labels, run.fields))
    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    return dataset.padded_batch(batch_size)


def check_installed(library: str) -> None:
    """UserError if a library that is not among the requirements is missing."""
    if importlib.util.find_spec(library) is None:
        raise UserError(f"this needs {library}, which is not installed: pip install {library}")


def check_dataset(run: Run, output: str, labels: Labels | None) -> None:
    """What `tf_dataset` and `torch_dataset` refuse.

    Now, since TensorFlow and PyTorch make many lines of what is raised while they read.
    """
    if not isinstance(run, Run):
        raise ArgumentError(f"`run` {run!r} must be a Run, as open_run gives it")
    run.dim(output)
    run.check_rows()
    if labels is None:
        return
    check_labels_argument(labels, run.fields)
    if isinstance(labels, str):
        check_field_is_label(labels, run.fields.field(labels).type)
    run.check_labels(labels)
