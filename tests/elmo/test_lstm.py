"""The LSTM with its own backward pass: the oracle's outputs, and the numerical gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.layers.padded_lstm import lstm, lstm_stack
from elmo_beam.elmo.model.options import ModelOptions, cell_name
from tests.helpers.command import SMALL
from tests.helpers.oracle import Oracle, random_weights

# A cell without clips, one whose clips change many values, one without a projection.
SHAPES = {
    "plain": replace(SMALL, cell_clip=None, proj_clip=None),
    "clipped": replace(SMALL, cell_clip=0.3, proj_clip=0.2),
    "unprojected": replace(SMALL, projection_dim=SMALL.lstm_dim),
}
STEPS, SENTENCES = 5, 3


def inputs(options: ModelOptions) -> np.ndarray:
    """[steps, sentences, projection_dim] in float64."""
    return np.random.default_rng(3).normal(size=(STEPS, SENTENCES, options.projection_dim)) * 2


def arrays_of(options: ModelOptions) -> dict[str, np.ndarray]:
    """Those of a biLM, in float64."""
    return {n: a.astype(np.float64) for n, a in random_weights(options).arrays.items()}


def layer_of(
    options: ModelOptions, arrays: Mapping[str, object], x: tf.Tensor, layer: int = 0
) -> tf.Tensor:
    """The outputs of one layer of the backward direction for its inputs."""
    name = cell_name(1, layer)
    w_input, w_state = tf.split(arrays[f"{name}/W_0"], 2)
    rest = [arrays[f"{name}/{n}"] for n in ("B", "W_P_0") if f"{name}/{n}" in arrays]
    return lstm(options, x @ w_input, w_state, *map(tf.convert_to_tensor, rest))


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_are_the_oracles(shape: str) -> None:
    options = SHAPES[shape]
    oracle = Oracle(random_weights(options))
    x = inputs(options)
    got = layer_of(options, arrays_of(options), tf.constant(x)).numpy()
    for sentence in range(SENTENCES):
        want = oracle.direction(1, list(x[:, sentence]))[0]
        np.testing.assert_allclose(got[:, sentence], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_numerical_ones(shape: str) -> None:
    options = SHAPES[shape]
    cell = cell_name(1, 0)
    arrays = {n: a for n, a in arrays_of(options).items() if n.startswith(cell)}
    names = list(arrays)
    weigh = np.random.default_rng(4).normal(size=(STEPS, SENTENCES, options.projection_dim))

    @tf.function
    def loss(x: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        cell = dict(zip(names, values, strict=True))
        return tf.reduce_sum(layer_of(options, cell, x) * weigh)

    point = [inputs(options), *arrays.values()]
    exact, numeric = tf.test.compute_gradient(loss, point, delta=1e-6)
    for name, got, want in zip(["x", *names], exact, numeric, strict=True):
        assert np.abs(want).max() > 0, name
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7, err_msg=name)


def test_clips_change_some_values_and_leave_others_alone() -> None:
    """Otherwise the test above would not see their gradients."""
    options = SHAPES["clipped"]
    got = layer_of(options, arrays_of(options), tf.constant(inputs(options))).numpy()
    clipped = np.abs(got) == options.proj_clip
    assert 0.05 < clipped.mean() < 0.95


def test_steps_after_a_sentences_end_change_nothing_before_it() -> None:
    options = SMALL
    x = inputs(options)
    longer = np.concatenate([x, np.full((2, SENTENCES, options.projection_dim), 7.0)])
    arrays = arrays_of(options)
    short = layer_of(options, arrays, tf.constant(x)).numpy()
    np.testing.assert_array_equal(
        layer_of(options, arrays, tf.constant(longer)).numpy()[:STEPS], short
    )


@pytest.mark.parametrize("own_gradient", [True, False])
@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "no skip"])
def test_a_stack_is_its_layers_one_after_the_other(
    skip: bool, direction: int, own_gradient: bool
) -> None:
    """Each layer's input is dropped out; from the second on, it is also added to the output."""
    options = replace(SMALL, n_layers=3, use_skip_connections=skip)
    arrays = arrays_of(options)
    table = tf.constant(inputs(options)[0])  # of few tokens, which come again
    tokens = np.random.default_rng(6).integers(0, SENTENCES, (STEPS, SENTENCES)).astype(np.int32)

    def stacked(*dropout: Callable[[tf.Tensor], tf.Tensor]) -> list[np.ndarray]:
        outputs = lstm_stack(options, arrays, direction, table, tokens, own_gradient, *dropout)
        return [output.numpy() for output in outputs]

    plain = stacked()
    oracle = Oracle(random_weights(options))
    for sentence in range(SENTENCES):
        want = oracle.direction(direction, list(table.numpy()[tokens[:, sentence]]))
        for layer, output in enumerate(plain):
            np.testing.assert_allclose(output[:, sentence], want[layer], rtol=0, atol=1e-12)
    for got, wanted in zip(stacked(tf.identity), plain, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)

    doubled = stacked(lambda x: 2 * x)
    if direction == 1:
        x = tf.gather(table, tokens)
        for layer in range(3):
            y = layer_of(options, arrays, 2 * x, layer)
            x = y + 2 * x if skip and layer > 0 else y
            np.testing.assert_allclose(doubled[layer], x.numpy(), rtol=0, atol=1e-12)
