"""A biLM's weights in memory, the same whichever format they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.token_ids import NO_LEXICON, Lexicon

MIX_WEIGHTS = "aggregation/weights"
MIX_SCALING = "aggregation/scaling"


@dataclass(frozen=True)
class Weights:
    """ModelOptions and float32 arrays, by their names in the published layout, and the lexicon.

    Besides those of `ModelOptions.shapes()` there are `aggregation/weights` [n_layers + 1], before
    the softmax, and `aggregation/scaling` [], named as in the TF-Hub modules.
    """

    options: ModelOptions
    arrays: dict[str, np.ndarray]
    lexicon: Lexicon = NO_LEXICON

    @property
    def digest(self) -> str:
        """sha256, hexadecimal, over the options, the lexicon and every array in a fixed order.

        The options count too, because the same arrays give other vectors with, say, another
        activation.
        """
        sha = hashlib.sha256(json.dumps(self.options.to_json(), sort_keys=True).encode())
        for rows in (self.lexicon.words, self.lexicon.characters):
            if rows:
                sha.update(json.dumps(rows, sort_keys=True).encode())
        for name in expected_shapes(self.options):
            sha.update(np.ascontiguousarray(self.arrays[name], "<f4").data)
        return sha.hexdigest()

    def layer_mix(self) -> np.ndarray:
        """float32 [n_layers + 1]: scaling × softmax(weights), each layer's factor in `elmo`."""
        raw = self.arrays[MIX_WEIGHTS].astype(np.float64)
        exp = np.exp(raw - raw.max())
        return (self.arrays[MIX_SCALING] * exp / exp.sum()).astype(np.float32)


def expected_shapes(options: ModelOptions) -> dict[str, tuple[int, ...]]:
    """All arrays of `Weights`, mix included, in the order of the digest."""
    return {**options.shapes(), MIX_WEIGHTS: (options.n_layers + 1,), MIX_SCALING: ()}


def check_shapes(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], source: str
) -> None:
    """Raises UserError, naming the array, if one is missing or misshapen.

    Readers call it before they read any data, since a small file can declare a large array.
    """
    for name, shape in expected.items():
        if name not in found:
            raise UserError(f"{source} has no array {name}: expected one of shape {list(shape)}")
        if found[name] != shape:
            raise UserError(
                f"{source}: {name} has shape {list(found[name])}, its options ask for "
                f"{list(shape)}: options and weights are not from the same model"
            )


def checked_weights(
    options: ModelOptions,
    arrays: dict[str, np.ndarray],
    source: str,
    lexicon: Lexicon = NO_LEXICON,
) -> Weights:
    """Weights, with equal shares and scaling 1 if a model has no mix of its own.

    Raises UserError, naming the array, if one is missing, misshapen or not finite.
    """
    arrays = {
        MIX_WEIGHTS: np.zeros(options.n_layers + 1, np.float32),
        MIX_SCALING: np.ones((), np.float32),
        **arrays,
    }
    expected = expected_shapes(options)
    check_shapes(expected, {name: array.shape for name, array in arrays.items()}, source)
    for name in expected:
        if not np.isfinite(arrays[name]).all():
            raise UserError(
                f"{source}: {name} has values that are not finite: fetch the file again"
            )
    return Weights(options, {name: arrays[name] for name in expected}, lexicon)
