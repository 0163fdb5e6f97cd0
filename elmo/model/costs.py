"""What a model's matrix products cost, each counted in full."""

from __future__ import annotations

from elmo_beam.elmo.model.options import ModelOptions


def lstm_flops(options: ModelOptions) -> int:
    """Floating-point operations per token in all LSTMs."""
    gates = 2 * options.projection_dim * 4 * options.lstm_dim
    projection = options.lstm_dim * options.projection_dim
    return 2 * 2 * options.n_layers * (gates + projection)


def token_flops(options: ModelOptions) -> int:
    """Floating-point operations per distinct token in the token encoder."""
    convolutions = sum(
        (options.max_characters - width + 1) * width * options.char_dim * n
        for width, n in options.filters
    )
    highways = 2 * options.n_highway * options.n_filters**2
    projection = options.token_dim * options.projection_dim * options.has_token_projection
    return 2 * (convolutions + highways + projection)
