"""The outputs a biLM can give, named as google/elmo names them."""

from __future__ import annotations

from collections.abc import Sequence

from elmo.errors import UserError
from elmo.options import Options

TOKEN_OUTPUT = "word_emb"  # knows no direction, so it is half as wide as the others
SENTENCE_OUTPUT = "default"  # one vector a sentence; all others are one vector a token


def output_names(options: Options) -> list[str]:
    """All outputs of a model, those of its layers first."""
    layers = [f"lstm_outputs{k}" for k in range(1, options.n_layers + 1)]
    return [TOKEN_OUTPUT, *layers, "elmo", SENTENCE_OUTPUT]


def output_dim(options: Options, name: str) -> int:
    """Width of an output: both directions side by side, but for the token vectors."""
    return options.projection_dim * (1 if name == TOKEN_OUTPUT else 2)


def layer_of(name: str) -> int:
    """The LSTM layer, from 0, that an output `lstm_outputs1`, … is."""
    return int(name.removeprefix("lstm_outputs")) - 1


def checked_outputs(options: Options, names: Sequence[str]) -> list[str]:
    """The names asked for, in the model's order; UserError names one that the model lacks."""
    known = output_names(options)
    for name in names:
        if name not in known:
            raise UserError(f"no output {name!r} in this model: it gives {', '.join(known)}")
    if not names:
        raise UserError(f"no outputs asked for: choose among {', '.join(known)}")
    return [name for name in known if name in names]
