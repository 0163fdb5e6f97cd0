"""What a model format provides. To add one, write its module and name it in `handles.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from elmo_beam.elmo.encoder.passes import SentenceEncoder
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights


@dataclass(frozen=True)
class OwnEncoder:
    """How a model is run by code that came with it: slow, and for checking ours.

    read: its weights, for their digest, without comparing the two encoders. load: the encoder, from
    the folder, the options, the memory that one pass may take, in bytes, and whether the user
    trusts the model's maker; without that, code that may reach more than the model is refused.
    """

    read: Callable[[Path], Weights]
    load: Callable[[Path, ModelOptions, int, bool], SentenceEncoder]


@dataclass(frozen=True)
class ModelFormat:
    """How a folder of one format is read.

    name: what people call it. read: its weights. Takes the folder, or the one file that is the
    model, the options if they are known from an earlier reading, so
    that they need not be worked out again, and whether the user trusts the model's maker; without
    that, nothing of the folder may run that could reach more than the model. Raises UserError,
    saying what is wrong.
    """

    name: str
    read: Callable[[Path, ModelOptions | None, bool], Weights]
    own_encoder: OwnEncoder | None = None
