"""The outputs a biLM can give, named as google/elmo names them."""

from __future__ import annotations

from collections.abc import Sequence

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.model.options import ModelOptions

TOKEN_OUTPUT = "word_emb"  # has no direction, so it is half as wide as the others
SENTENCE_OUTPUT = "default"  # one vector per sentence; all others are one vector per token


def output_names(options: ModelOptions) -> list[str]:
    """All outputs of a model, in order."""
    layers = [f"lstm_outputs{k}" for k in range(1, options.n_layers + 1)]
    return [TOKEN_OUTPUT, *layers, "elmo", SENTENCE_OUTPUT]


def output_dim(options: ModelOptions, name: str) -> int:
    """Width of an output: both directions side by side, except for the token vectors."""
    return options.projection_dim * (1 if name == TOKEN_OUTPUT else 2)


def layer_of(name: str) -> int:
    """The LSTM layer, counted from 0, of an output `lstm_outputs1`, …."""
    return int(name.removeprefix("lstm_outputs")) - 1


def checked_outputs(options: ModelOptions, names: Sequence[str]) -> list[str]:
    """The outputs asked for, in the model's order; ArgumentError names one that the model lacks."""
    known = output_names(options)
    for name in names:
        if name not in known:
            raise ArgumentError(f"`outputs`: this model has no {name!r}, only {', '.join(known)}")
    if not names:
        raise ArgumentError(f"`outputs` is empty: choose among {', '.join(known)}")
    return [name for name in known if name in names]
