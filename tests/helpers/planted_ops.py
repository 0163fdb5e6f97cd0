"""Ops planted in a module's graph, as someone would who wants more from it than vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel


def place_of_loot(folder: Path) -> Path:
    """Where `steal` leaves a copy of a file that is no business of the module's."""
    (folder / "secret").write_text("secret")
    return folder / "stolen"


def meta_graph(module: Path) -> Any:
    """A module's MetaGraphDef."""
    return SavedModel.FromString((module / "saved_model.pb").read_bytes()).meta_graphs[0]


def change(module: Path, alter: Callable[[Any], None]) -> None:
    """Let `alter` change a module's MetaGraphDef."""
    saved = SavedModel.FromString((module / "saved_model.pb").read_bytes())
    alter(saved.meta_graphs[0])
    (module / "saved_model.pb").write_bytes(saved.SerializeToString())


def plant(module: Path, build: Callable[[], Any], run: Callable[[Any, str], None]) -> None:
    """Add the nodes that `build` makes; `run` puts the last one where something runs it."""
    with tf.Graph().as_default() as graph:
        with (
            tf.name_scope(f"planted_by_{run.__name__}") as scope,
            tf.control_dependencies(tf.nest.flatten(build())),
        ):
            tf.no_op("last")
        added = graph.as_graph_def()

    def alter(meta: Any) -> None:
        meta.graph_def.node.extend(added.node)
        meta.graph_def.library.MergeFrom(added.library)
        run(meta, f"{scope}last")

    change(module, alter)


def with_the_outputs(meta: Any, name: str) -> None:
    """The node runs whenever `elmo` is computed."""
    output = meta.signature_def["tokens"].outputs["elmo"].name.partition(":")[0]
    next(n for n in meta.graph_def.node if n.name == output).input.append(f"^{name}")


def steal(stolen: Path) -> tf.Operation:
    """Copies a file."""
    secret = tf.raw_ops.ReadFile(filename=str(stolen.with_name("secret")))
    return tf.raw_ops.WriteFile(filename=str(stolen), contents=secret)


def as_the_saver(meta: Any, name: str) -> None:
    """The node runs when TensorFlow restores the module's variables."""
    restore = meta.saver_def.restore_op_name
    next(n for n in meta.graph_def.node if n.name == restore).input.append(f"^{name}")
