"""Model folders made to harm: refused in one line, before much is read or anything waits."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.formats.hub_module import HubModule
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.training.vocabulary import SPECIAL, read_softmax, softmax_bytes
from tests.helpers.hub_modules import save_variables, variable_name
from tests.helpers.oracle import random_weights
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 2), (2, 3)), char_dim=3, activation="relu", n_highway=1, max_characters=40,
    lstm_dim=5, projection_dim=4, n_layers=1, cell_clip=None, proj_clip=None,
    use_skip_connections=False,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model in the published layout with a softmax beside it, for the test to spoil."""
    folder = tmp_path / "model"
    write_bilm(random_weights(OPTIONS), folder)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in SPECIAL))
    w = np.zeros((3, 4), np.float32)
    (folder / "softmax.hdf5").write_bytes(softmax_bytes(w, np.zeros(3, np.float32)))
    return folder


def read_all(folder: Path) -> None:
    weights = read_weights(folder)
    read_softmax(folder, weights.options)


def module_of(tmp_path: Path) -> Path:
    """The files of a TF-Hub module; what is in them does not matter here."""
    folder = tmp_path / "module"
    (folder / "variables").mkdir(parents=True)
    for name in MODULE_FILES:
        (folder / name).write_bytes(b"")
    return folder


FILES = ("options.json", "weights.hdf5", "vocab.txt", "softmax.hdf5")
MODULE_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


IRREGULAR = (fifo, endless, a_socket, Path.mkdir)


@pytest.mark.parametrize("make", IRREGULAR)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_regular_is_not_opened(
    folder: Path, name: str, make: Callable[[Path], None]
) -> None:
    (folder / name).unlink()
    make(folder / name)
    with refused(folder / name, "not a regular file"):
        read_all(folder)


@pytest.mark.parametrize("make", IRREGULAR)
@pytest.mark.parametrize("name", MODULE_FILES[1:])
def test_a_modules_file_that_is_not_regular_is_not_opened(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    folder = module_of(tmp_path)
    (folder / name).unlink()
    make(folder / name)
    with refused(folder / name, "not a regular file"):
        read_weights(folder)


@pytest.mark.parametrize("make", IRREGULAR)
def test_a_modules_graph_that_is_not_regular_is_not_opened(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = module_of(tmp_path)
    (folder / "saved_model.pb").unlink()
    make(folder / "saved_model.pb")
    with refused(folder / "saved_model.pb", "not a regular file"):
        HubModule(folder, OPTIONS)


def test_a_modules_graph_that_is_not_regular_is_named_before_what_else_is_missing(
    tmp_path: Path,
) -> None:
    fifo(tmp_path / "saved_model.pb")
    with refused(tmp_path / "saved_model.pb", "not a regular file"):
        read_weights(tmp_path)


def test_a_modules_variables_are_not_looked_for_elsewhere(tmp_path: Path) -> None:
    """TensorFlow's load_checkpoint would follow the path in a file named `checkpoint`."""
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "elsewhere"))
    folder = module_of(tmp_path)
    (folder / MODULE_FILES[1]).unlink()
    (folder / "variables" / "variables").mkdir()
    state = f'model_checkpoint_path: "{tmp_path}/elsewhere"'
    (folder / "variables" / "variables" / "checkpoint").write_text(state)
    with refused(folder / MODULE_FILES[1], "No such file"):
        read_weights(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bilm/CNN_proj/W_proj": np.zeros((3, 4), np.float32)}, "CNN_proj/W_proj has shape"),
        ({"bilm/CNN_proj/W_proj": np.full((5, 4), "x")}, "has no numbers"),
        ({"bilm/CNN_proj/b_proj": None}, "no array CNN_proj/b_proj"),
        ({"bilm/char_embed": np.zeros((100, 4), np.float32)}, "not an ELMo"),
        ({f"bilm/CNN_high_{i}/W_carry": np.zeros(1) for i in range(1025)}, "not be over 1,024"),
    ],
    ids=["shape", "strings", "missing", "table", "count"],
)
def test_a_modules_variables_are_described_rightly_before_any_is_read(
    tmp_path: Path, change: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = module_of(tmp_path)
    arrays = {variable_name(name): a for name, a in random_weights(OPTIONS).arrays.items()}
    arrays = {name: array for name, array in (arrays | change).items() if array is not None}
    save_variables(folder, arrays)
    reader = type(tf.train.load_checkpoint(str(folder / "variables" / "variables")))
    monkeypatch.setattr(reader, "get_tensor", None)
    with refused(folder, problem):
        read_weights(folder, "module")


def test_a_checkpoint_whose_data_are_cut_off_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = module_of(tmp_path)
    arrays = random_weights(OPTIONS).arrays
    save_variables(folder, {variable_name(name): array for name, array in arrays.items()})
    os.truncate(folder / MODULE_FILES[2], 100)
    reader = type(tf.train.load_checkpoint(str(folder / "variables" / "variables")))
    monkeypatch.setattr(reader, "get_tensor", None)
    with refused(folder, "bytes and holds 100"):
        read_weights(folder, "module")


def test_links_to_regular_files_are_followed(folder: Path, tmp_path: Path) -> None:
    """As the caches of model hubs are made of."""
    digest = read_weights(folder).digest
    for name in FILES:
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    assert read_weights(folder).digest == digest
    read_all(folder)


@pytest.mark.parametrize("name", ["options.json", "vocab.txt"])
def test_a_text_of_a_terabyte_is_not_read(folder: Path, name: str) -> None:
    os.truncate(folder / name, 1 << 40)
    with refused(folder / name, "more than", "bytes"):
        read_all(folder)


def test_a_graph_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    folder = module_of(tmp_path)
    os.truncate(folder / "saved_model.pb", 1 << 40)
    with refused(folder / "saved_model.pb", "more than", "bytes"):
        HubModule(folder, OPTIONS)
