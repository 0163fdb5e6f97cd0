"""Adam's steps are those of the paper."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from elmo_beam.elmo.training.adam import BETA_1, BETA_2, EPSILON, Adam

RATES = (0.1, 0.05, 0.2, 0.01)


def test_a_few_steps_by_the_textbook() -> None:
    """Kingma and Ba (2015), with epsilon added to the root before the bias correction."""
    rng = np.random.default_rng(2)
    want = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    variables = {name: tf.Variable(value) for name, value in want.items()}
    adam = Adam(variables)
    m = {name: np.zeros_like(value) for name, value in want.items()}
    v = {name: np.zeros_like(value) for name, value in want.items()}
    for t, rate in enumerate(RATES, 1):
        # Some are small next to epsilon, so that the place where it is added matters.
        gradients = {
            n: rng.normal(size=x.shape) * 10.0 ** rng.uniform(-9, 1) for n, x in want.items()
        }
        adam.apply(
            {name: tf.constant(g) for name, g in gradients.items()}, (BETA_1**t, BETA_2**t), rate
        )
        for name, g in gradients.items():
            m[name] = BETA_1 * m[name] + (1 - BETA_1) * g
            v[name] = BETA_2 * v[name] + (1 - BETA_2) * g**2
            step = rate * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            want[name] = want[name] - step * m[name] / (np.sqrt(v[name]) + EPSILON)
    assert (BETA_1, BETA_2, EPSILON) == (0.9, 0.999, 1e-8)
    for name in want:
        np.testing.assert_allclose(variables[name].numpy(), want[name], rtol=1e-12)
        np.testing.assert_allclose(adam.first[name].numpy(), m[name], rtol=1e-12)
        np.testing.assert_allclose(adam.second[name].numpy(), v[name], rtol=1e-12)


def test_the_first_step_is_the_rate_against_each_gradients_sign() -> None:
    variable = tf.Variable([1.0, 1.0, 1.0])
    Adam({"x": variable}).apply({"x": tf.constant([3.0, -0.02, 0.0])}, (BETA_1, BETA_2), 0.25)
    np.testing.assert_allclose(variable.numpy(), [0.75, 1.25, 1.0], rtol=1e-5)
