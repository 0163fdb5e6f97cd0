"""LSTMs over padded sentences, with their backward pass written out: how a biLM is trained.

TensorFlow's own gradient of a loop takes the products for the weights' gradients at every step.
Here the backward loop keeps each step's gradient of the gates, and the products are taken once,
over all steps together. The arithmetic is that of `tree_lstm.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.layers.token_encoder import Tensors
from elmo_beam.elmo.model.options import FORGET_BIAS, ModelOptions, cell_name


class _Step(NamedTuple):
    """What a forward step keeps for the backward step, each [sentences, lstm_dim] except `h`."""

    i: Any
    j: Any
    f: Any
    o: Any
    c: Any
    tanh_c: Any
    h: Any  # [sentences, projection_dim]


def lstm_stack(
    options: ModelOptions,
    tensors: Tensors,
    direction: int,
    x: tf.Tensor,
    own_gradient: bool,
    dropout: Callable[[tf.Tensor], tf.Tensor] = lambda x: x,
) -> list[tf.Tensor]:
    """Every layer's output in one direction, skip connections included, as `lstm` takes and gives.

    dropout: applied to each layer's input.
    """
    outputs = []
    for layer in range(options.n_layers):
        x = dropout(x)
        y = lstm(options, tensors, direction, layer, x, own_gradient)
        x = y + x if options.skips(layer) else y
        outputs.append(x)
    return outputs


def lstm(
    options: ModelOptions,
    tensors: Tensors,
    direction: int,
    layer: int,
    x: tf.Tensor,
    own_gradient: bool = True,
) -> tf.Tensor:
    """One layer of one direction: float [steps, sentences, projection_dim], in and out.

    State is zero before the first step. There is no mask: whatever is made of the output must
    leave out the steps after a sentence's end, and then nothing flows back from them.
    own_gradient: whether the backward pass is ours, which a SavedModel cannot hold, or
    TensorFlow's.
    """
    name = cell_name(direction, layer)
    names = [f"{name}/W_0", f"{name}/B"]
    if options.has_lstm_projection:
        names.append(f"{name}/W_P_0")
    cell = [tf.convert_to_tensor(tensors[n]) for n in names]
    if not own_gradient:
        return _forward(options, x, *cell)[0]
    return tf.custom_gradient(lambda x, *cell: _forward(options, x, *cell))(x, *cell)


def _forward(
    options: ModelOptions,
    x: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    projection: tf.Tensor | None = None,
) -> tuple[tf.Tensor, Any]:
    width, dim = options.projection_dim, options.lstm_dim
    steps, sentences = tf.shape(x)[0], tf.shape(x)[1]
    w_input, w_state = w[:width], w[width:]
    input_gates = tf.reshape(tf.matmul(_flat(x, width), w_input) + b, [steps, sentences, 4 * dim])

    def step(t: tf.Tensor, c: tf.Tensor, h: tf.Tensor, kept: list[Any]) -> tuple[Any, ...]:
        i, j, f, o = tf.split(input_gates[t] + tf.matmul(h, w_state), 4, axis=1)
        i, j, f, o = tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + FORGET_BIAS), tf.sigmoid(o)
        c = f * c + i * j
        if options.cell_clip is not None:
            c = tf.clip_by_value(c, -options.cell_clip, options.cell_clip)
        tanh_c = tf.tanh(c)
        h = o * tanh_c
        if projection is not None:
            h = tf.matmul(h, projection)
            if options.proj_clip is not None:
                h = tf.clip_by_value(h, -options.proj_clip, options.proj_clip)
        made = _Step(i, j, f, o, c, tanh_c, h)
        return t + 1, c, h, [array.write(t, value) for array, value in zip(kept, made, strict=True)]

    kept = [_array(x.dtype, steps, dim) for _ in range(6)] + [_array(x.dtype, steps, width)]
    start = (0, tf.zeros([sentences, dim], x.dtype), tf.zeros([sentences, width], x.dtype), kept)
    *_, kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)
    outputs = tf.reshape(kept[-1].stack(), tf.shape(x))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return _backward(options, x, w, projection, _Step(*kept), outputs, upstream)

    return outputs, gradient


def _backward(
    options: ModelOptions,
    x: tf.Tensor,
    w: tf.Tensor,
    projection: tf.Tensor | None,
    kept: _Step,
    outputs: tf.Tensor,
    upstream: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Gradients of x, W_0, B and, if there is one, W_P_0."""
    width, dim = options.projection_dim, options.lstm_dim
    steps, sentences = tf.shape(x)[0], tf.shape(x)[1]
    w_input, w_state = w[:width], w[width:]

    def step(t: tf.Tensor, dc: tf.Tensor, dh: tf.Tensor, made: list[Any]) -> tuple[Any, ...]:
        i, j, f, o, c, tanh_c, h = (array.read(t) for array in kept)
        before = tf.cond(t > 0, lambda: kept.c.read(t - 1), lambda: tf.zeros_like(c))
        dh += upstream[t]
        d_out = dh
        if projection is not None:
            if options.proj_clip is not None:
                dh *= _inside(h, options.proj_clip)
            d_out = tf.matmul(dh, projection, transpose_b=True)
        d_tanh = d_out * o
        dc += d_tanh * (1.0 - tanh_c * tanh_c)
        if options.cell_clip is not None:
            dc *= _inside(c, options.cell_clip)
        gates = tf.concat(
            [
                dc * j * i * (1.0 - i),
                dc * i * (1.0 - j * j),
                dc * before * f * (1.0 - f),
                d_tanh * tanh_c * (1.0 - o),
            ],
            axis=1,
        )
        written = [a.write(t, v) for a, v in zip(made, (gates, dh, o * tanh_c), strict=True)]
        return t - 1, dc * f, tf.matmul(gates, w_state, transpose_b=True), written

    made = [_array(x.dtype, steps, n) for n in (4 * dim, width, dim)]
    end = tf.zeros([sentences, dim], x.dtype), tf.zeros([sentences, width], x.dtype)
    start = (steps - 1, *end, made)
    *_, made = tf.while_loop(lambda t, *_: t >= 0, step, start, parallel_iterations=1)
    d_gates, d_outputs, cell_outputs = (array.concat() for array in made)
    states = _flat(tf.concat([tf.zeros_like(outputs[:1]), outputs[:-1]], 0), width)
    d_w = [tf.matmul(rows, d_gates, transpose_a=True) for rows in (_flat(x, width), states)]
    gradients = (
        tf.reshape(tf.matmul(d_gates, w_input, transpose_b=True), tf.shape(x)),
        tf.concat(d_w, axis=0),
        tf.reduce_sum(d_gates, axis=0),
    )
    if projection is None:
        return gradients
    return (*gradients, tf.matmul(cell_outputs, d_outputs, transpose_a=True))


def _flat(x: tf.Tensor, width: int) -> tf.Tensor:
    return tf.reshape(x, [-1, width])


def _array(dtype: tf.DType, steps: tf.Tensor, width: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, element_shape=[None, width], clear_after_read=False)


def _inside(x: tf.Tensor, limit: float) -> tf.Tensor:
    """1 where the clip left the value alone, 0 where it changed it and nothing flows back."""
    return tf.cast(tf.abs(x) < limit, x.dtype)
