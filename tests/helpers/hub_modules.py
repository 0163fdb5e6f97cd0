"""TF1-format Hub modules for tests: a copy of one with other variables, or one made from weights.

Those of `make_module` compute with the oracle, through a Python function that only this process can
call, and that no one but their maker should trust. That is enough to load and run them here, and
gives modules of any shape, and ones that the native encoder cannot reproduce. Those of
`make_tf1_module` are as TensorFlow 1 wrote google/elmo: a graph and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from elmo_beam.elmo.model.weights import Weights
from tests.helpers.oracle import Oracle
from tests.helpers.tf1_graph import Tensors, as_tensorflow_1, bilm_outputs

v1 = tf.compat.v1
Arrays = dict[str, np.ndarray]
_GRAPHS: list[object] = []  # TensorFlow forgets a Python function when its graph is gone


def copy_module(source: Path, folder: Path) -> Path:
    """A copy that may be changed, whatever the permissions of the original."""
    for file in source.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return folder


def change_variables(folder: Path, change: Callable[[Arrays], None]) -> None:
    """Let `change` alter a module's variables, and write them back."""
    prefix = str(folder / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    arrays = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    change(arrays)
    save_variables(folder, arrays)


def save_variables(folder: Path, arrays: Arrays) -> None:
    """Write a module's variables."""
    names = sorted(arrays)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "variables" / "variables"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[arrays[name] for name in names],
    )


def variable_name(published: str) -> str:
    """How google/elmo's checkpoint names an array of the published layout."""
    if published.startswith("aggregation/"):
        return published
    name = published.replace("/LSTMCell/W_0", "/rnn/lstm_cell/kernel")
    name = name.replace("/LSTMCell/B", "/rnn/lstm_cell/bias")
    return "bilm/" + name.replace("/LSTMCell/W_P_0", "/rnn/lstm_cell/projection/kernel")


def make_module(weights: Weights, folder: Path, computes: Weights | None = None) -> Path:
    """A module with the variables of `weights`, and the vectors of `computes` if they are given."""
    oracle = Oracle(computes or weights)
    names = [name for name in oracle.encode([]) if name != "default"]

    def encode(tokens: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        width = weights.options.projection_dim
        dims = [width if name == "word_emb" else 2 * width for name in names]
        vectors = [np.zeros((*tokens.shape, dim), np.float32) for dim in dims]
        for row, length in enumerate(lengths):
            words = [token.decode("utf-8", "surrogateescape") for token in tokens[row, :length]]
            for array, values in zip(vectors, map(oracle.encode(words).get, names), strict=True):
                array[row, :length] = values
        return vectors

    def outputs(_: Tensors, tokens: tf.Tensor, lengths: tf.Tensor) -> Tensors:
        vectors = tf.numpy_function(encode, [tokens, lengths], [tf.float32] * len(names))
        return dict(zip(names, vectors, strict=True))

    return _save(weights, folder, outputs)


def make_tf1_module(weights: Weights, folder: Path) -> Path:
    """A module that computes in its own graph."""
    with as_tensorflow_1():
        return _save(weights, folder, partial(bilm_outputs, weights.options))


def _save(
    weights: Weights, folder: Path, outputs: Callable[[Tensors, tf.Tensor, tf.Tensor], Tensors]
) -> Path:
    with tf.Graph().as_default() as graph, v1.Session() as session:
        arrays = {
            name: v1.get_variable(variable_name(name), initializer=tf.constant(array))
            for name, array in weights.arrays.items()
        }
        tokens = v1.placeholder(tf.string, [None, None])
        lengths = v1.placeholder(tf.int32, [None])
        signature = v1.saved_model.predict_signature_def(
            {"tokens": tokens, "sequence_len": lengths}, outputs(arrays, tokens, lengths)
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"tokens": signature})
        builder.save()
    _GRAPHS.append(graph)
    (folder / "tfhub_module.pb").touch()
    return folder
