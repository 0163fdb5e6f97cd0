"""The LSTM with its own backward pass: the oracle's outputs, and the numerical gradients."""

from __future__ import annotations

from collections.abc import Callable
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
    """Layer 0 of the backward direction, in float64."""
    cell = cell_name(1, 0)
    arrays = random_weights(options).arrays
    return {n: a.astype(np.float64) for n, a in arrays.items() if n.startswith(cell)}


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_are_the_oracles(shape: str) -> None:
    options = SHAPES[shape]
    oracle = Oracle(random_weights(options))
    x = inputs(options)
    got = lstm(options, arrays_of(options), 1, 0, tf.constant(x)).numpy()
    for sentence in range(SENTENCES):
        want = oracle.direction(1, list(x[:, sentence]))[0]
        np.testing.assert_allclose(got[:, sentence], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_the_numerical_ones(shape: str) -> None:
    options = SHAPES[shape]
    arrays = arrays_of(options)
    names = list(arrays)
    weigh = np.random.default_rng(4).normal(size=(STEPS, SENTENCES, options.projection_dim))

    @tf.function
    def loss(x: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        cell = dict(zip(names, values, strict=True))
        return tf.reduce_sum(lstm(options, cell, 1, 0, x) * weigh)

    point = [inputs(options), *arrays.values()]
    exact, numeric = tf.test.compute_gradient(loss, point, delta=1e-6)
    for name, got, want in zip(["x", *names], exact, numeric, strict=True):
        assert np.abs(want).max() > 0, name
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7, err_msg=name)


def test_clips_change_some_values_and_leave_others_alone() -> None:
    """Otherwise the test above would not see their gradients."""
    options = SHAPES["clipped"]
    got = lstm(options, arrays_of(options), 1, 0, tf.constant(inputs(options))).numpy()
    clipped = np.abs(got) == options.proj_clip
    assert 0.05 < clipped.mean() < 0.95


def test_steps_after_a_sentences_end_change_nothing_before_it() -> None:
    options = SMALL
    x = inputs(options)
    longer = np.concatenate([x, np.full((2, SENTENCES, options.projection_dim), 7.0)])
    arrays = arrays_of(options)
    short = lstm(options, arrays, 1, 0, tf.constant(x)).numpy()
    np.testing.assert_array_equal(
        lstm(options, arrays, 1, 0, tf.constant(longer)).numpy()[:STEPS], short
    )


@pytest.mark.parametrize("own_gradient", [True, False])
@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "no skip"])
def test_a_stack_is_its_layers_one_after_the_other(
    skip: bool, direction: int, own_gradient: bool
) -> None:
    """Each layer's input is dropped out; from the second on, it is also added to the output."""
    options = replace(SMALL, n_layers=3, use_skip_connections=skip)
    arrays = {n: a.astype(np.float64) for n, a in random_weights(options).arrays.items()}

    def double(x: tf.Tensor) -> tf.Tensor:
        return 2 * x

    def stacked(*dropout: Callable[[tf.Tensor], tf.Tensor]) -> list[np.ndarray]:
        x = tf.constant(inputs(options))
        outputs = lstm_stack(options, arrays, direction, x, own_gradient, *dropout)
        return [output.numpy() for output in outputs]

    for got, factor in ((stacked(), 1), (stacked(double), 2)):
        x = tf.constant(inputs(options))
        assert len(got) == 3
        for layer in range(3):
            dropped = factor * x
            x = lstm(options, arrays, direction, layer, dropped, own_gradient)
            if skip and layer > 0:
                x = x + dropped
            np.testing.assert_allclose(got[layer], x.numpy(), rtol=0, atol=1e-12)
    oracle = Oracle(random_weights(options))
    for sentence in range(SENTENCES):
        want = oracle.direction(direction, list(inputs(options)[:, sentence]))
        for layer, output in enumerate(stacked()):
            np.testing.assert_allclose(output[:, sentence], want[layer], rtol=0, atol=1e-12)
