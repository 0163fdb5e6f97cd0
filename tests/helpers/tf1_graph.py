"""A biLM's graph as TensorFlow 1 built it: loops of Enter, Switch and Exit over TensorArrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from elmo_beam.elmo.layers.token_encoder import encode_tokens
from elmo_beam.elmo.model.characters import BEGIN_WORD, END_WORD, PADDING, boundary_ids
from elmo_beam.elmo.model.options import FORGET_BIAS, ModelOptions, cell_name
from elmo_beam.elmo.model.weights import MIX_SCALING, MIX_WEIGHTS

v1 = tf.compat.v1
Tensors = dict[str, Any]


@contextmanager
def as_tensorflow_1() -> Iterator[None]:
    """Variables are VariableV2, and loops are nodes of the graph itself, not functions."""
    v1.disable_control_flow_v2()
    v1.disable_resource_variables()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()
        v1.enable_resource_variables()


def bilm_outputs(
    options: ModelOptions, arrays: Tensors, tokens: tf.Tensor, lengths: tf.Tensor
) -> Tensors:
    """Every token output, float32 [batch, length, dim], for tokens padded to [batch, length]."""

    def characters(token: tf.Tensor) -> tf.Tensor:
        data = tf.io.decode_raw(tf.strings.substr(token, 0, options.max_characters - 2), tf.uint8)
        ids = tf.concat([[BEGIN_WORD], tf.cast(data, tf.int32) + 1, [END_WORD]], axis=0)
        return tf.pad(ids, [[0, options.max_characters - tf.size(ids)]], constant_values=PADDING)

    ids = v1.map_fn(characters, tf.reshape(tokens, [-1]), tf.int32)
    ids = tf.concat([boundary_ids(options.max_characters), ids], axis=0)
    table = encode_tokens(options, arrays, None, ids)
    shape = tf.concat([tf.shape(tokens), [options.projection_dim]], axis=0)
    vectors = tf.reshape(table[2:], shape)
    both = []
    for direction in (0, 1):
        x = _reversed(vectors, lengths) if direction else vectors
        boundary = tf.tile(table[direction][tf.newaxis, tf.newaxis], [tf.shape(tokens)[0], 1, 1])
        x = tf.transpose(tf.concat([boundary, x], axis=1), [1, 0, 2])
        layers = []
        for layer in range(options.n_layers):
            x = _lstm(options, arrays, direction, layer, x)
            outputs = tf.transpose(x, [1, 0, 2])[:, 1:]
            layers.append(_reversed(outputs, lengths) if direction else outputs)
        both.append(layers)
    levels = [tf.concat([vectors, vectors], axis=2)]
    levels += [tf.concat(pair, axis=2) for pair in zip(*both, strict=True)]
    shares = tf.unstack(tf.nn.softmax(arrays[MIX_WEIGHTS]), len(levels))
    mixed = tf.add_n([share * level for share, level in zip(shares, levels, strict=True)])
    outputs = {f"lstm_outputs{k}": level for k, level in enumerate(levels) if k}
    return {"word_emb": vectors, "elmo": arrays[MIX_SCALING] * mixed, **outputs}


def _reversed(x: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    return tf.reverse_sequence(x, lengths, seq_axis=1, batch_axis=0)


def _lstm(
    options: ModelOptions, arrays: Tensors, direction: int, layer: int, x: tf.Tensor
) -> tf.Tensor:
    """One direction of one layer over all steps: float32 [steps, batch, projection_dim]."""
    cell = cell_name(direction, layer)
    steps, batch = tf.shape(x)[0], tf.shape(x)[1]
    given = tf.TensorArray(tf.float32, steps).unstack(x)

    def step(t: tf.Tensor, c: tf.Tensor, h: tf.Tensor, written: tf.TensorArray) -> tuple[Any, ...]:
        now = given.read(t)
        gates = tf.matmul(tf.concat([now, h], axis=1), arrays[f"{cell}/W_0"])
        i, j, f, o = tf.split(gates + arrays[f"{cell}/B"], 4, axis=1)
        c = tf.sigmoid(f + FORGET_BIAS) * c + tf.sigmoid(i) * tf.tanh(j)
        c = (
            c
            if options.cell_clip is None
            else tf.clip_by_value(c, -options.cell_clip, options.cell_clip)
        )
        h = tf.sigmoid(o) * tf.tanh(c)
        if options.has_lstm_projection:
            h = tf.matmul(h, arrays[f"{cell}/W_P_0"])
            h = (
                h
                if options.proj_clip is None
                else tf.clip_by_value(h, -options.proj_clip, options.proj_clip)
            )
        return t + 1, c, h, written.write(t, h + now if options.skips(layer) else h)

    *_, written = v1.while_loop(
        lambda t, *_: t < steps,
        step,
        (
            0,
            tf.zeros([batch, options.lstm_dim]),
            tf.zeros([batch, options.projection_dim]),
            tf.TensorArray(tf.float32, steps),
        ),
    )
    return written.stack()
