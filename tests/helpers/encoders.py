"""One encoder for all tests that load the same model: TensorFlow takes a second to trace each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from elmo_beam.elmo.encoder import DEFAULT_MEMORY, encoder
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.model.weights import Weights

_MADE: dict[tuple[object, ...], Encoder] = {}


def shared(
    weights: Weights,
    memory: int = DEFAULT_MEMORY,
    precision: str = "float32",
    *,
    boundary_tokens: bool = False,
) -> Encoder:
    """An encoder of these weights, which are read and checked as ever; made once."""
    key = weights.digest, memory, precision, boundary_tokens
    if key not in _MADE:
        _MADE[key] = Encoder(weights, memory, precision, boundary_tokens=boundary_tokens)
    return _MADE[key]


@contextmanager
def shared_encoders() -> Iterator[None]:
    """What this process's code under test makes as `Encoder` is shared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "Encoder", shared)
        yield
