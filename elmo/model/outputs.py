"""The outputs a biLM can give, named as google/elmo names them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from elmo_beam.elmo.arguments import name_list
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


def check_output_names(names: Sequence[str], argument: str = "outputs") -> None:
    """Raises ArgumentError for a name that no model's output has, and where there is none."""
    given = name_list(argument, names)
    for name in given:
        if not re.fullmatch(r"word_emb|lstm_outputs[1-9]\d*|elmo|default", name):
            raise ArgumentError(
                f"`{argument}` {name!r} is not an output: choose among word_emb, lstm_outputs1, …, "
                "elmo, default"
            )
    if not given:
        raise ArgumentError(f"`{argument}` is empty: name at least one output")


def checked_outputs(
    options: ModelOptions, names: Sequence[str], argument: str = "outputs"
) -> list[str]:
    """The outputs asked for, in the model's order; ArgumentError names one that the model lacks.

    A single string is one name. argument: what the caller's argument is called.
    """
    known, given = output_names(options), name_list(argument, names)
    if not given:
        raise ArgumentError(f"`{argument}` is empty: choose among {', '.join(known)}")
    for name in given:
        if name not in known:
            raise ArgumentError(f"`{argument}` {name!r}: this model has only {', '.join(known)}")
    return [name for name in known if name in given]
