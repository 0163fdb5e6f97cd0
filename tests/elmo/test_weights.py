"""Weights in memory: their digest, their mix of layers, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights, checked_weights
from tests.helpers.oracle import assert_close, random_weights
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 2), (2, 3)), char_dim=3, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=5, projection_dim=4, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip
ARRAYS = random_weights(OPTIONS).arrays


def with_mix(weights: list[float], scaling: float) -> Weights:
    mix = {
        "aggregation/weights": np.array(weights, np.float32),
        "aggregation/scaling": np.array(scaling, np.float32),
    }
    return Weights(OPTIONS, {**ARRAYS, **mix})


def test_every_array_is_in_the_digest() -> None:
    digests = {Weights(OPTIONS, ARRAYS).digest}
    for name, array in ARRAYS.items():
        changed = array.copy()
        changed[(-1,) * changed.ndim] += 1
        digests.add(Weights(OPTIONS, {**ARRAYS, name: changed}).digest)
    assert len(digests) == 1 + len(ARRAYS)


def test_options_are_in_the_digest() -> None:
    """The same arrays give other vectors under each of these."""
    changes = [
        {},
        {"activation": "tanh"},
        {"max_characters": 40},
        {"cell_clip": 2.0},
        {"proj_clip": None},
        {"use_skip_connections": False},
    ]
    digests = {Weights(replace(OPTIONS, **change), ARRAYS).digest for change in changes}  # type: ignore[arg-type]
    assert len(digests) == len(changes)


def test_the_digest_depends_on_values_not_on_their_layout_in_memory() -> None:
    digest = Weights(OPTIONS, ARRAYS).digest
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    backward = dict(reversed(ARRAYS.items()))
    assert Weights(OPTIONS, backward).digest == digest
    columns_first = {name: np.asfortranarray(array) for name, array in ARRAYS.items()}
    assert Weights(OPTIONS, columns_first).digest == digest
    big_endian = {name: array.astype(">f4") for name, array in ARRAYS.items()}
    assert Weights(OPTIONS, big_endian).digest == digest


def test_the_mix_is_a_scaled_softmax() -> None:
    mix = with_mix([0.0, np.log(2.0), np.log(5.0)], 4.0).layer_mix()
    assert_close(mix, np.array([0.5, 1.0, 2.5]), 1e-6)
    far = with_mix([1000.0, 0.0, 1000.0], 1.0).layer_mix()
    assert_close(far, np.array([0.5, 0.0, 0.5]), 1e-6)


def test_elmo_is_the_mix_of_the_layers() -> None:
    encoder = Encoder(with_mix([0.3, -1.2, 0.8], 1.7))
    got = encoder.encode(
        [["a", "bird"], ["sang"]], ["word_emb", "lstm_outputs1", "lstm_outputs2", "elmo"]
    )
    shares = np.exp([0.3, -1.2, 0.8])
    shares *= 1.7 / shares.sum()
    layers = [
        np.concatenate([got["word_emb"]] * 2, axis=1),
        got["lstm_outputs1"],
        got["lstm_outputs2"],
    ]
    want = sum(share * layer for share, layer in zip(shares, layers, strict=True))
    assert_close(got["elmo"], np.asarray(want), 1e-6)


def test_without_a_mix_the_layers_have_equal_shares() -> None:
    arrays = {name: a for name, a in ARRAYS.items() if not name.startswith("aggregation")}
    assert_close(checked_weights(OPTIONS, arrays, "x").layer_mix(), np.full(3, 1 / 3), 1e-6)


def test_a_mix_of_its_own_is_kept() -> None:
    weights = checked_weights(OPTIONS, ARRAYS, "x")
    assert weights.digest == Weights(OPTIONS, ARRAYS).digest
    assert (weights.arrays["aggregation/weights"] == ARRAYS["aggregation/weights"]).all()


def test_other_arrays_are_left_out() -> None:
    weights = checked_weights(OPTIONS, {**ARRAYS, "softmax/W": np.zeros(3, np.float32)}, "x")
    assert "softmax/W" not in weights.arrays
    assert weights.digest == Weights(OPTIONS, ARRAYS).digest


@pytest.mark.parametrize("name", OPTIONS.shapes())
def test_a_missing_array_is_named(name: str) -> None:
    arrays = {other: array for other, array in ARRAYS.items() if other != name}
    with refused("the/weights", name, "no array"):
        checked_weights(OPTIONS, arrays, "the/weights")


@pytest.mark.parametrize("name", ARRAYS)
def test_a_misshapen_array_is_named_with_both_shapes(name: str) -> None:
    shape = (7, *ARRAYS[name].shape)
    with refused("the/weights", name, list(shape), list(ARRAYS[name].shape)):
        checked_weights(OPTIONS, {**ARRAYS, name: np.zeros(shape, np.float32)}, "the/weights")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["char_embed", "CNN_proj/b_proj", "aggregation/scaling"])
def test_an_array_that_is_not_finite_is_named(name: str, value: float) -> None:
    changed = ARRAYS[name].copy()
    changed[(-1,) * changed.ndim] = value
    with refused("the/weights", name, "not finite"):
        checked_weights(OPTIONS, {**ARRAYS, name: changed}, "the/weights")
