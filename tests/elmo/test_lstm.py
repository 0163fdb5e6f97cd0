"""The LSTM with its own backward pass: against the oracle, and its gradients numerically."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.layers.padded_lstm import lstm
from elmo_beam.elmo.model.options import ModelOptions, cell_name
from tests.helpers.command import SMALL
from tests.helpers.oracle import Oracle, random_weights

# A cell without clips, one whose clips hold most values, one without a projection.
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
        want = oracle.direction(1, x[:, sentence])[0]
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


def test_clips_hold_some_values_and_let_others_through() -> None:
    """Else the test above would not see their gradients."""
    options = SHAPES["clipped"]
    got = lstm(options, arrays_of(options), 1, 0, tf.constant(inputs(options))).numpy()
    held = np.abs(got) == options.proj_clip
    assert 0.05 < held.mean() < 0.95


def test_steps_behind_a_sentences_end_change_nothing_before_it() -> None:
    options = SMALL
    x = inputs(options)
    longer = np.concatenate([x, np.full((2, SENTENCES, options.projection_dim), 7.0)])
    arrays = arrays_of(options)
    short = lstm(options, arrays, 1, 0, tf.constant(x)).numpy()
    np.testing.assert_array_equal(
        lstm(options, arrays, 1, 0, tf.constant(longer)).numpy()[:STEPS], short
    )
