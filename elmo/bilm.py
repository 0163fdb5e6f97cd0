"""The biLM in TensorFlow: character CNN, highway layers, projection, and LSTMs over prefix trees.

The arithmetic is that of allenai/bilm-tf (`bilm/model.py`), from the paper "Deep contextualized
word representations" (Peters et al., 2018): LSTM gates in the order i, j, f, o, forget bias 1, the
cell clipped, then its projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from elmo.backend import tf
from elmo.options import Options, cell_name
from elmo.weights import Weights

FORGET_BIAS = 1.0
Arrays = Mapping[str, Any]  # tensors or variables, by their names in the published layout


class CharacterEncoder(tf.Module):
    """Character ids to token vectors that know no context."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.options = weights.options
        self.arrays = {
            name: tf.constant(array)
            for name, array in weights.arrays.items()
            if name.startswith(("char_embed", "CNN"))
        }
        signature = [tf.TensorSpec([None, None], tf.int32)]
        # Without autograph, which would leave files behind where a process is killed.
        self.run = tf.function(self._run, input_signature=signature, autograph=False)

    def _run(self, ids: tf.Tensor) -> tf.Tensor:
        return encode_characters(self.options, self.arrays, ids)


def encode_characters(options: Options, arrays: Arrays, ids: tf.Tensor) -> tf.Tensor:
    """int32 [tokens, characters] to float [tokens, projection_dim].

    A row may be shorter than `max_characters`, if it is long enough that every filter sees a
    window of padding only: behind a word's end all such windows are alike, and the maximum
    over them is the same however many there are.
    """
    characters = tf.gather(arrays["char_embed"], ids)
    activation = tf.nn.relu if options.activation == "relu" else tf.nn.tanh
    pooled = []
    for i in range(len(options.filters)):
        windows = tf.nn.conv1d(characters, arrays[f"CNN/W_cnn_{i}"][0], 1, "VALID")
        # Bias and activation are monotone, so they can follow the maximum.
        highest = tf.reduce_max(windows, axis=1)
        pooled.append(activation(highest + arrays[f"CNN/b_cnn_{i}"]))
    vectors = tf.concat(pooled, axis=1)
    for i in range(options.n_highway):
        carry = tf.nn.sigmoid(_affine(arrays, f"CNN_high_{i}/{{}}_carry", vectors))
        transform = tf.nn.relu(_affine(arrays, f"CNN_high_{i}/{{}}_transform", vectors))
        vectors = carry * transform + (1.0 - carry) * vectors
    if options.has_cnn_projection:
        vectors = _affine(arrays, "CNN_proj/{}_proj", vectors)
    return vectors


def _affine(arrays: Arrays, name: str, x: tf.Tensor) -> tf.Tensor:
    return tf.matmul(x, arrays[name.format("W")]) + arrays[name.format("b")]


State = tuple[tf.Tensor, tf.Tensor]  # a layer's cell and its output, before a skip connection


class TreeLSTM(tf.Module):
    """One direction's stack of LSTMs, run over a prefix tree level by level.

    One tanh serves all gates, inside the matrix product's own kernel where there is a bias:
    σ(x) = (1 + tanh(x / 2)) / 2, and the halves are folded into the weights, where they are exact.
    """

    def __init__(self, weights: Weights, direction: int, dtype: tf.DType = tf.float32) -> None:
        """dtype: of matrix products and outputs; cells are float32 in any case."""
        super().__init__()
        self.options, self._dtype = weights.options, dtype
        self.cells = [
            {
                name: tf.cast(array, dtype)
                for name, array in _folded(weights, cell_name(direction, layer)).items()
            }
            for layer in range(self.options.n_layers)
        ]
        # Traced once an instance, since each closes over weights of its own.
        self.run = tf.function(
            self._run,
            input_signature=[
                tf.TensorSpec([None, self.options.projection_dim], tf.float32),
                tf.TensorSpec([self.options.projection_dim], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([None], tf.int64),
            ],
            autograph=False,
        )

    def _run(
        self,
        vectors: tf.Tensor,
        boundary: tf.Tensor,
        tokens: tf.Tensor,
        parents: tf.Tensor,
        level_offsets: tf.Tensor,
        rows: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Each layer's output at each node, float32 [nodes, projection_dim].

        vectors: float32 [distinct tokens, projection_dim]; boundary: the vector of the token that
        begins the sentences in this direction, [projection_dim]; tokens, parents, level_offsets as
        in `PrefixTree`; rows: int64 [levels], at least the level's nodes: how many the products
        take, the last node again and again.
        """
        n_layers, width = self.options.n_layers, self.options.projection_dim
        cell, output = tf.zeros([1, self.options.lstm_dim]), tf.zeros([1, width], self._dtype)
        root = self._first_gates(boundary[tf.newaxis])
        state, _ = self._step(root, tf.zeros([1], tf.int32), [(cell, output)] * n_layers)
        # The first layer's input product is taken once a distinct token, not once a node.
        gates = self._first_gates(vectors)
        levels = tf.size(level_offsets) - 1
        outputs = [tf.zeros([tf.size(tokens), width], self._dtype) for _ in range(n_layers)]

        def next_level(
            level: tf.Tensor, state: list[State], outputs: list[tf.Tensor]
        ) -> tuple[tf.Tensor, list[State], list[tf.Tensor]]:
            begin, end = level_offsets[level], level_offsets[level + 1]
            nodes = tf.minimum(tf.range(begin, begin + rows[level]), end - 1)
            first_gates = tf.gather(gates, tf.gather(tokens, nodes))
            state, here = self._step(first_gates, tf.gather(parents, nodes), state)
            # In place, since nothing else holds the outputs.
            written = [
                tf.raw_ops.TensorStridedSliceUpdate(
                    input=o, begin=[begin], end=[end], strides=[1], value=h[: end - begin]
                )
                for o, h in zip(outputs, here, strict=True)
            ]
            return level + 1, state, written

        cell_shape = tf.TensorShape([None, self.options.lstm_dim])
        states = [(cell_shape, tf.TensorShape([None, width]))] * n_layers
        _, _, outputs = tf.while_loop(
            lambda level, *_: level < levels,
            next_level,
            (0, state, outputs),
            shape_invariants=(
                tf.TensorShape([]),
                states,
                [tf.TensorShape([None, width])] * n_layers,
            ),
            parallel_iterations=1,
        )
        return [tf.cast(output, tf.float32) for output in outputs]

    def _first_gates(self, vectors: tf.Tensor) -> tf.Tensor:
        """The first layer's gates before the recurrent part, [rows, 4 * lstm_dim]."""
        cell = self.cells[0]
        inputs = tf.cast(vectors, self._dtype)
        products = tf.matmul(inputs, cell["W_0"][: self.options.projection_dim])
        return tf.nn.bias_add(products, cell["B"])

    def _step(
        self, first_gates: tf.Tensor, parents: tf.Tensor, state: list[State]
    ) -> tuple[list[State], list[tf.Tensor]]:
        """All layers at one level's nodes: their states, and their outputs."""
        new_state: list[State] = []
        outputs: list[tf.Tensor] = []
        for layer, cell in enumerate(self.cells):
            c, h = (tf.gather(s, parents) for s in state[layer])
            if layer == 0:
                recurrent = cell["W_0"][self.options.projection_dim :]
                gates = first_gates + tf.matmul(h, recurrent)
            else:
                inputs = tf.concat([outputs[-1], h], 1)
                gates = tf.nn.bias_add(tf.matmul(inputs, cell["W_0"]), cell["B"])
            c, h = self._cell(cell, gates, c)
            new_state.append((c, h))
            skip = layer > 0 and self.options.use_skip_connections
            outputs.append(h + outputs[-1] if skip else h)
        return new_state, outputs

    def _cell(self, cell: dict[str, tf.Tensor], gates: tf.Tensor, c: tf.Tensor) -> State:
        # float32 before the tanh: a forget gate near 1 in bfloat16 would be 1, or decay too soon.
        i, j, f, o = tf.split(tf.tanh(tf.cast(gates, tf.float32)), 4, axis=1)
        c = _clipped(((f + 1.0) * c + (i + 1.0) * j) * 0.5, self.options.cell_clip)
        twice = (o + 1.0) * tf.tanh(c)
        if not self.options.has_lstm_projection:
            return c, tf.cast(twice * 0.5, self._dtype)
        h = tf.matmul(tf.cast(twice, self._dtype), cell["W_P_0"])
        return c, _clipped(h, self.options.proj_clip)


def _folded(weights: Weights, name: str) -> dict[str, np.ndarray]:
    """A cell's arrays for gates that are one tanh, with the forget gate's bias in B.

    Half the weights into i, f and o, and half the projection, whose input is then twice the output.
    """
    dim = weights.options.lstm_dim
    gates = np.repeat(np.array([0.5, 1.0, 0.5, 0.5], np.float32), dim)
    bias = weights.arrays[f"{name}/B"].copy()
    bias[2 * dim : 3 * dim] += FORGET_BIAS
    folded = {"W_0": weights.arrays[f"{name}/W_0"] * gates, "B": bias * gates}
    if weights.options.has_lstm_projection:
        folded["W_P_0"] = weights.arrays[f"{name}/W_P_0"] * np.float32(0.5)
    return folded


def _clipped(x: tf.Tensor, limit: float | None) -> tf.Tensor:
    if limit is None:
        return x
    low, high = (tf.constant(edge, x.dtype) for edge in (-limit, limit))
    return tf.raw_ops.ClipByValue(t=x, clip_value_min=low, clip_value_max=high)
