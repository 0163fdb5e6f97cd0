"""LSTMs over prefix trees, level by level: how the encoder runs a biLM.

The arithmetic is that of allenai/bilm-tf (`bilm/model.py`), from the paper "Deep contextualized
word representations" (Peters et al., 2018): LSTM gates in the order i, j, f, o, forget bias 1, the
cell clipped, then its projection.
"""

from __future__ import annotations

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.model.options import FORGET_BIAS, cell_name
from elmo_beam.elmo.model.weights import Weights

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
        # Traced once per instance, since each closes over its own weights.
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
        in `PrefixTree`; rows: int64 [levels], how many rows each level's products take, at least
        its nodes; the last node fills up the rest.
        """
        n_layers, width = self.options.n_layers, self.options.projection_dim
        cell, output = tf.zeros([1, self.options.lstm_dim]), tf.zeros([1, width], self._dtype)
        root = self._first_gates(boundary[tf.newaxis])
        state, _ = self._step(root, tf.zeros([1], tf.int32), [(cell, output)] * n_layers)
        # The first layer's input product is taken once per distinct token, not once per node.
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
            outputs.append(h + outputs[-1] if self.options.skips(layer) else h)
        return new_state, outputs

    def _cell(self, cell: dict[str, tf.Tensor], gates: tf.Tensor, c: tf.Tensor) -> State:
        # float32 before the tanh: in bfloat16 a forget gate near 1 becomes 1, or decays too soon.
        i, j, f, o = tf.split(tf.tanh(tf.cast(gates, tf.float32)), 4, axis=1)
        c = _clipped(((f + 1.0) * c + (i + 1.0) * j) * 0.5, self.options.cell_clip)
        twice = (o + 1.0) * tf.tanh(c)
        if not self.options.has_lstm_projection:
            return c, tf.cast(twice * 0.5, self._dtype)
        h = tf.matmul(tf.cast(twice, self._dtype), cell["W_P_0"])
        return c, _clipped(h, self.options.proj_clip)


def _folded(weights: Weights, name: str) -> dict[str, np.ndarray]:
    """A cell's arrays for gates that are one tanh, with the forget gate's bias in B.

    The weights of i, f and o are halved, and so is the projection, whose input is then twice the
    cell's output.
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
