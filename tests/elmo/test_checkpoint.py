"""Checkpoints of bilm-tf's training: the same weights as its own dump of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.formats.bilm_checkpoint import dumped_name, read_checkpoint
from elmo_beam.elmo.formats.bilm_hdf5 import options_text, read_bilm, write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights
from tests.helpers.hub_modules import copy_module
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused


def trained_name(name: str) -> str:
    """What bilm-tf calls a variable as it trains, of its name in the dump."""
    for ours, theirs in (
        ("/RNN/", "/rnn/"), ("/MultiRNNCell/Cell", "/multi_rnn_cell/cell_"),
        ("/LSTMCell/", "/lstm_cell/"), ("W_P_0", "projection/kernel"), ("W_0", "kernel"),
    ):  # fmt: skip
        name = name.replace(ours, theirs)
    return f"lm/{name.removesuffix('/B')}/bias" if name.endswith("/B") else f"lm/{name}"


def write_checkpoint(weights: Weights, folder: Path, step: int) -> Path:
    """As the authors' code leaves it behind, with the variables of its optimizer."""
    folder.mkdir(exist_ok=True)
    (folder / "options.json").write_text(options_text(weights.options))
    single = weights.options.n_layers == 1
    arrays = {}
    for name in weights.options.shapes():
        array = weights.arrays[name]
        own = trained_name(name.replace("/MultiRNNCell/Cell0", "") if single else name)
        arrays[own] = array[1:] if name == "char_embed" else array
        arrays[f"{own}/Adagrad"] = arrays[own] * 0
    arrays |= {"lm/softmax/b": np.zeros(3, np.float32), "global_step": np.array(step)}
    names = sorted(arrays)
    tf.raw_ops.SaveV2(
        prefix=str(folder / f"model.ckpt-{step}"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[arrays[name] for name in names],
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/trainer/model.ckpt-1"')
    return folder


def test_the_authors_own_checkpoint_and_their_dump_of_it(reference: Path, tmp_path: Path) -> None:
    source = reference / "bilm_checkpoint"
    folder = copy_module(source, tmp_path / "trained")
    (folder / "weights.hdf5").unlink()
    weights, dumped = read_weights(folder), read_bilm(source)
    assert weights.digest == dumped.digest
    for name, array in dumped.arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)


@pytest.mark.parametrize(
    "options",
    [OPTIONS, replace(OPTIONS, n_layers=1), replace(OPTIONS, projection_dim=5, n_highway=0)],
)
def test_checkpoints_of_every_shape(options: ModelOptions, tmp_path: Path) -> None:
    weights = unmixed(options)
    assert read_weights(write_checkpoint(weights, tmp_path / "a", 3)).digest == weights.digest


def test_the_last_of_several_steps(tmp_path: Path) -> None:
    """By number, not by name: 9 is before 10."""
    last = unmixed(OPTIONS, seed=10)
    write_checkpoint(last, tmp_path, 10)
    write_checkpoint(unmixed(OPTIONS, seed=9), tmp_path, 9)
    assert read_checkpoint(tmp_path).digest == last.digest


def test_a_folder_with_a_dump_too_stays_what_it_is(tmp_path: Path) -> None:
    dumped = unmixed(OPTIONS, seed=1)
    write_checkpoint(unmixed(OPTIONS, seed=2), tmp_path, 12)
    write_bilm(dumped, tmp_path)
    assert read_weights(tmp_path).digest == dumped.digest


def test_without_options(tmp_path: Path) -> None:
    (write_checkpoint(unmixed(OPTIONS), tmp_path, 1) / "options.json").unlink()
    with refused(tmp_path, "checkpoint of bilm-tf", "options.json"):
        read_weights(tmp_path)


def test_options_of_another_model(tmp_path: Path) -> None:
    write_checkpoint(unmixed(OPTIONS), tmp_path, 1)
    (tmp_path / "options.json").write_text(json.dumps(replace(OPTIONS, lstm_dim=7).to_json()))
    with refused("model.ckpt-1", "[8, 20]", "[8, 28]"):
        read_weights(tmp_path)


def test_names_are_those_of_the_dump() -> None:
    for name in OPTIONS.shapes():
        assert dumped_name(trained_name(name)) == name
