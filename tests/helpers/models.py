"""A small biLM for tests of model files."""

from __future__ import annotations

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights, checked_weights
from tests.helpers.oracle import random_weights

OPTIONS = ModelOptions(
    filters=((1, 2), (2, 3)), char_dim=3, activation="tanh", n_highway=1, max_characters=40,
    lstm_dim=5, projection_dim=4, n_layers=2, cell_clip=2.5, proj_clip=None,
    use_skip_connections=True,
)  # fmt: skip


def unmixed(options: ModelOptions, seed: int = 0) -> Weights:
    """Random weights as bilm-tf's files can hold them: without a mix of layers."""
    arrays = random_weights(options, seed).arrays
    return checked_weights(options, {name: arrays[name] for name in options.shapes()}, "random")
