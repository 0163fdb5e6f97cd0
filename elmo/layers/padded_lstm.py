"""LSTMs over padded sentences, with their backward pass written out: how a biLM is trained.

TensorFlow's own gradient of a loop takes the products for the weights' gradients at every step.
Here the backward loop keeps each step's gradient of the gates, and the products are taken once,
over all steps together. The arithmetic is that of `tree_lstm.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.layers.products import product, rounded
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
    table: tf.Tensor,
    tokens: tf.Tensor,
    own_gradient: bool,
    dropout: Callable[[tf.Tensor], tf.Tensor] | None = None,
    dtype: tf.DType | None = None,
) -> list[tf.Tensor]:
    """Every layer's output in one direction, skip connections included, as `lstm` gives it.

    table: float [distinct tokens, projection_dim]; tokens: int32 [steps, sentences], rows of it.
    dropout: applied to each layer's input; without it, the first layer's input product is taken
    once per distinct token. dtype: what the products are rounded to.
    """
    cells = [_cell(options, tensors, direction, layer) for layer in range(options.n_layers)]
    outputs: list[tf.Tensor] = []
    for layer, (w_input, *cell) in enumerate(cells):
        if layer == 0 and dropout is None:
            gates = tf.gather(product(table, w_input, dtype), tokens)
        else:
            x = outputs[-1] if layer else tf.gather(table, tokens)
            x = dropout(x) if dropout else x
            flat = tf.reshape(x, [-1, options.projection_dim])
            shape = tf.concat([tf.shape(tokens), [4 * options.lstm_dim]], axis=0)
            gates = tf.reshape(product(flat, w_input, dtype), shape)
        y = lstm(options, gates, *cell, own_gradient=own_gradient, dtype=dtype)
        outputs.append(y + x if options.skips(layer) else y)
    return outputs


def _cell(options: ModelOptions, tensors: Tensors, direction: int, layer: int) -> list[tf.Tensor]:
    """W_0 of the input and of the state, B, and W_P_0 if there is one."""
    name = cell_name(direction, layer)
    w = tf.convert_to_tensor(tensors[f"{name}/W_0"])
    cell = [w[: options.projection_dim], w[options.projection_dim :]]
    names = ["B", "W_P_0"] if options.has_lstm_projection else ["B"]
    return [*cell, *(tf.convert_to_tensor(tensors[f"{name}/{n}"]) for n in names)]


def lstm(
    options: ModelOptions,
    gates: tf.Tensor,
    *cell: tf.Tensor,
    own_gradient: bool = True,
    dtype: tf.DType | None = None,
) -> tf.Tensor:
    """One layer of one direction, float [steps, sentences, projection_dim].

    gates: the products of its inputs with W_0's rows for them, [steps, sentences, 4 * lstm_dim];
    cell: W_0's rows for the state, B, and W_P_0 if the layer has one.

    State is zero before the first step. There is no mask: whatever is made of the output must
    leave out the steps after a sentence's end, and then nothing flows back from them.
    own_gradient: whether the backward pass is ours, which a SavedModel cannot hold, or
    TensorFlow's.
    """
    if not own_gradient:
        return _forward(options, dtype, gates, *cell)[0]
    return tf.custom_gradient(lambda *given: _forward(options, dtype, *given))(gates, *cell)


def _forward(
    options: ModelOptions,
    dtype: tf.DType | None,
    gates: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    projection: tf.Tensor | None = None,
) -> tuple[tf.Tensor, Any]:
    width, dim = options.projection_dim, options.lstm_dim
    steps, sentences = tf.shape(gates)[0], tf.shape(gates)[1]
    # Rounded once, not by each step's products.
    factor = rounded(w, dtype)
    output_factor = None if projection is None else rounded(projection, dtype)

    def step(t: tf.Tensor, c: tf.Tensor, h: tf.Tensor, kept: list[Any]) -> tuple[Any, ...]:
        i, j, f, o = tf.split(gates[t] + tf.nn.bias_add(product(h, factor, dtype), b), 4, axis=1)
        i, j, f, o = tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + FORGET_BIAS), tf.sigmoid(o)
        c = f * c + i * j
        if options.cell_clip is not None:
            c = tf.clip_by_value(c, -options.cell_clip, options.cell_clip)
        tanh_c = tf.tanh(c)
        h = o * tanh_c
        if output_factor is not None:
            h = product(h, output_factor, dtype)
            if options.proj_clip is not None:
                h = tf.clip_by_value(h, -options.proj_clip, options.proj_clip)
        made = _Step(i, j, f, o, c, tanh_c, h)
        return t + 1, c, h, [array.write(t, value) for array, value in zip(kept, made, strict=True)]

    kept = [_array(gates.dtype, steps, dim) for _ in range(6)]
    kept.append(_array(gates.dtype, steps, width))
    start = (0, *(tf.zeros([sentences, n], gates.dtype) for n in (dim, width)), kept)
    *_, kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)
    outputs = kept[-1].stack()

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return _backward(options, dtype, w, projection, _Step(*kept), outputs, upstream)

    return outputs, gradient


def _backward(
    options: ModelOptions,
    dtype: tf.DType | None,
    w: tf.Tensor,
    projection: tf.Tensor | None,
    kept: _Step,
    outputs: tf.Tensor,
    upstream: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Gradients of the gates, of W_0's rows for the state, B and, if there is one, W_P_0."""
    width, dim = options.projection_dim, options.lstm_dim
    steps, sentences = tf.shape(outputs)[0], tf.shape(outputs)[1]
    # Transposed and rounded once, not by each step's products.
    factor = tf.transpose(rounded(w, dtype))
    output_factor = None if projection is None else tf.transpose(rounded(projection, dtype))

    def step(t: tf.Tensor, dc: tf.Tensor, dh: tf.Tensor, made: list[Any]) -> tuple[Any, ...]:
        i, j, f, o, c, tanh_c, h = (array.read(t) for array in kept)
        before = tf.cond(t > 0, lambda: kept.c.read(t - 1), lambda: tf.zeros_like(c))
        dh += upstream[t]
        d_out = dh
        if output_factor is not None:
            if options.proj_clip is not None:
                dh *= _inside(h, options.proj_clip)
            d_out = product(dh, output_factor, dtype)
        d_tanh = d_out * o
        dc += d_tanh * (1.0 - tanh_c * tanh_c)
        if options.cell_clip is not None:
            dc *= _inside(c, options.cell_clip)
        d_gates = tf.concat(
            [
                dc * j * i * (1.0 - i),
                dc * i * (1.0 - j * j),
                dc * before * f * (1.0 - f),
                d_tanh * tanh_c * (1.0 - o),
            ],
            axis=1,
        )
        written = [a.write(t, v) for a, v in zip(made, (d_gates, dh, o * tanh_c), strict=True)]
        return t - 1, dc * f, product(d_gates, factor, dtype), written

    made = [_array(outputs.dtype, steps, n) for n in (4 * dim, width, dim)]
    end = (tf.zeros([sentences, n], outputs.dtype) for n in (dim, width))
    start = (steps - 1, *end, made)
    *_, made = tf.while_loop(lambda t, *_: t >= 0, step, start, parallel_iterations=1)
    d_gates, d_outputs, cell_outputs = (array.concat() for array in made)
    states = tf.reshape(tf.concat([tf.zeros_like(outputs[:1]), outputs[:-1]], 0), [-1, width])
    gradients = (
        tf.reshape(d_gates, [steps, sentences, 4 * dim]),
        product(states, d_gates, dtype, transpose_a=True),
        tf.reduce_sum(d_gates, axis=0),
    )
    if projection is None:
        return gradients
    return (*gradients, product(cell_outputs, d_outputs, dtype, transpose_a=True))


def _array(dtype: tf.DType, steps: tf.Tensor, width: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, element_shape=[None, width], clear_after_read=False)


def _inside(x: tf.Tensor, limit: float) -> tf.Tensor:
    """1 where the clip left the value alone, 0 where it changed it and nothing flows back."""
    return tf.cast(tf.abs(x) < limit, x.dtype)
