"""LSTMs over prefix trees, level by level: how the encoder runs a biLM.

The arithmetic is that of allenai/bilm-tf (`bilm/model.py`), from the paper "Deep contextualized
word representations" (Peters et al., 2018): LSTM gates in the order i, j, f, o, forget bias 1, the
cell clipped, then its projection.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.model.options import FORGET_BIAS, cell_name
from elmo_beam.elmo.model.weights import Weights

# Units whose gates go together: their products, of some 1,000 rows at most, stay in the processor's
# cache until the cells are made of them. Fewer make a row alone slow, by more and smaller products.
UNITS = 128
# A layer's cells, in slices of units, and its output before a skip connection.
State = tuple[list[tf.Tensor], tf.Tensor]


class _Cell(NamedTuple):
    """A layer's arrays; W_0 and B in slices of UNITS units, the four gates of each side by side."""

    w: list[tf.Tensor]
    b: list[tf.Tensor]
    projection: tf.Tensor | None


class TreeLSTM(tf.Module):
    """One direction's stack of LSTMs, run over a prefix tree level by level.

    One tanh serves all gates, inside the matrix product's own kernel where there is a bias:
    σ(x) = (1 + tanh(x / 2)) / 2, and the halves are folded into the weights, where they are exact.
    A layer is run in slices of UNITS units, one after the other: product, tanh, cells.
    """

    def __init__(self, weights: Weights, direction: int, dtype: tf.DType = tf.float32) -> None:
        """dtype: of matrix products and outputs; cells are float32 in any case."""
        super().__init__()
        self.options, self._dtype = weights.options, dtype
        self.cells = [
            _folded(weights, cell_name(direction, layer), dtype)
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
        units = [b.shape[0] // 4 for b in self.cells[0].b]
        cell = [tf.zeros([1, n]) for n in units]
        output = tf.zeros([1, width], self._dtype)
        root, first = self._first_gates(boundary[tf.newaxis]), tf.zeros([1], tf.int32)
        state, _ = self._step(root, first, first, [(cell, output)] * n_layers)
        # The first layer's input product is taken once per distinct token, not once per node.
        gates = self._first_gates(vectors)
        levels = tf.size(level_offsets) - 1
        outputs = [tf.zeros([tf.size(tokens), width], self._dtype) for _ in range(n_layers)]

        def next_level(
            level: tf.Tensor, state: list[State], outputs: list[tf.Tensor]
        ) -> tuple[tf.Tensor, list[State], list[tf.Tensor]]:
            begin, end = level_offsets[level], level_offsets[level + 1]
            nodes = tf.minimum(tf.range(begin, begin + rows[level]), end - 1)
            state, here = self._step(
                gates, tf.gather(tokens, nodes), tf.gather(parents, nodes), state
            )
            # In place, since nothing else holds the outputs.
            written = [
                tf.raw_ops.TensorStridedSliceUpdate(
                    input=o, begin=[begin], end=[end], strides=[1], value=h[: end - begin]
                )
                for o, h in zip(outputs, here, strict=True)
            ]
            return level + 1, state, written

        cell_shape = [tf.TensorShape([None, n]) for n in units]
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

    def _first_gates(self, vectors: tf.Tensor) -> list[tf.Tensor]:
        """The first layer's gates before the recurrent part, [rows, 4 * units] of each slice."""
        cell, width = self.cells[0], self.options.projection_dim
        inputs = tf.cast(vectors, self._dtype)
        return [
            tf.nn.bias_add(tf.matmul(inputs, w[:width]), b)
            for w, b in zip(cell.w, cell.b, strict=True)
        ]

    def _step(
        self,
        first_gates: list[tf.Tensor],
        tokens: tf.Tensor,
        parents: tf.Tensor,
        state: list[State],
    ) -> tuple[list[State], list[tf.Tensor]]:
        """All layers at one level's nodes: their states, and their outputs."""
        new_state: list[State] = []
        outputs: list[tf.Tensor] = []
        width = self.options.projection_dim
        for layer, cell in enumerate(self.cells):
            cells, h = state[layer]
            h = tf.gather(h, parents)
            inputs = tf.concat([outputs[-1], h], 1) if layer else h
            made: list[tf.Tensor] = []
            kept: list[tf.Tensor] = []
            for s, (w, b, c) in enumerate(zip(cell.w, cell.b, cells, strict=True)):
                with tf.control_dependencies(made[-1:]):  # not before the slice before is done
                    if layer == 0:
                        gates = tf.gather(first_gates[s], tokens) + tf.matmul(inputs, w[width:])
                    else:
                        gates = tf.nn.bias_add(tf.matmul(inputs, w), b)
                    c, twice = self._cell(gates, tf.gather(c, parents))
                kept.append(c)
                made.append(twice)
            twice = tf.concat(made, 1) if len(made) > 1 else made[0]
            if cell.projection is None:
                h = twice * 0.5
            else:
                h = _clipped(tf.matmul(twice, cell.projection), self.options.proj_clip)
            new_state.append((kept, h))
            outputs.append(h + outputs[-1] if self.options.skips(layer) else h)
        return new_state, outputs

    def _cell(self, gates: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Some units' cells, and twice their outputs before the projection."""
        # float32 before the tanh: in bfloat16 a forget gate near 1 becomes 1, or decays too soon.
        i, j, f, o = tf.split(tf.tanh(tf.cast(gates, tf.float32)), 4, axis=1)
        c = _clipped(((f + 1.0) * c + (i + 1.0) * j) * 0.5, self.options.cell_clip)
        return c, tf.cast((o + 1.0) * tf.tanh(c), self._dtype)


def _folded(weights: Weights, name: str, dtype: tf.DType) -> _Cell:
    """A cell's arrays for gates that are one tanh, with the forget gate's bias in B.

    The weights of i, f and o are halved, and so is the projection, whose input is then twice the
    cell's output.
    """
    dim = weights.options.lstm_dim
    factors = np.array([0.5, 1.0, 0.5, 0.5], np.float32)[:, np.newaxis]
    w = weights.arrays[f"{name}/W_0"].reshape(-1, 4, dim) * factors
    b = weights.arrays[f"{name}/B"].reshape(4, dim) + np.array(
        [[0], [0], [FORGET_BIAS], [0]], np.float32
    )
    b *= factors
    slices = [slice(begin, begin + UNITS) for begin in range(0, dim, UNITS)]
    projection = None
    if weights.options.has_lstm_projection:
        projection = tf.cast(weights.arrays[f"{name}/W_P_0"] * np.float32(0.5), dtype)
    return _Cell(
        [tf.cast(w[:, :, own].reshape(len(w), -1), dtype) for own in slices],
        [tf.cast(b[:, own].reshape(-1), dtype) for own in slices],
        projection,
    )


def _clipped(x: tf.Tensor, limit: float | None) -> tf.Tensor:
    if limit is None:
        return x
    low, high = (tf.constant(edge, x.dtype) for edge in (-limit, limit))
    return tf.raw_ops.ClipByValue(t=x, clip_value_min=low, clip_value_max=high)
