"""Weights are plain datasets: what else HDF5 can hold is refused before any data are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.training.vocabulary import SPECIAL, read_softmax
from tests.helpers.oracle import random_weights
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 2), (2, 3)), char_dim=3, activation="relu", n_highway=1, max_characters=40,
    lstm_dim=5, projection_dim=4, n_layers=1, cell_clip=None, proj_clip=None,
    use_skip_connections=False,
)  # fmt: skip
NAME = "CNN_proj/W_proj"  # [5, 4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model in the published layout, for the test to spoil."""
    write_bilm(random_weights(OPTIONS), tmp_path / "model")
    return tmp_path / "model"


def replaced(folder: Path, make: Callable[[h5py.File, np.ndarray], Any]) -> Path:
    """Let `make` put something else in the place of one array."""
    path = folder / "weights.hdf5"
    with h5py.File(path, "r+") as file:
        array = file[NAME][...]
        del file[NAME]
        make(file, array)
    return path


def external_link(file: h5py.File, array: np.ndarray) -> None:
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["x"] = array
    file[NAME] = h5py.ExternalLink("other.h5", "/x")


def external_group(file: h5py.File, array: np.ndarray) -> None:
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["W_proj"], other["b_proj"] = array, array[0]
    del file["CNN_proj"]
    file["CNN_proj"] = h5py.ExternalLink("other.h5", "/")


def soft_link(file: h5py.File, array: np.ndarray) -> None:
    file["elsewhere"] = array
    file[NAME] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File, array: np.ndarray) -> None:
    other = Path(file.filename).with_name("secret")
    other.write_bytes(array.tobytes())
    file.create_dataset(NAME, array.shape, "f4", external=[(str(other), 0, array.nbytes)])


def virtual(file: h5py.File, array: np.ndarray) -> None:
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as source:
        source["x"] = array
    layout = h5py.VirtualLayout(array.shape, "f4")
    layout[:] = h5py.VirtualSource(str(other), "x", array.shape)
    file.create_virtual_dataset(NAME, layout)


def integers(file: h5py.File, array: np.ndarray) -> None:
    file[NAME] = array.astype(np.int32)


def a_group(file: h5py.File, array: np.ndarray) -> None:
    file.create_group(NAME)


def no_values(file: h5py.File, array: np.ndarray) -> None:
    file[NAME] = h5py.Empty("f4")


def never_written(file: h5py.File, array: np.ndarray) -> None:
    file.create_dataset(NAME, array.shape, "f4")


def huge_chunk(file: h5py.File, array: np.ndarray) -> None:
    data = file.create_dataset(
        NAME, (1 << 13, 1 << 15), "f4", chunks=(1 << 13, 1 << 15), maxshape=(None, None),
        compression="gzip",
    )  # fmt: skip
    data.resize(array.shape)


def large_chunk_that_is_there(file: h5py.File, array: np.ndarray) -> None:
    """16 MiB, compressed a thousand times, for 80 bytes."""
    storage = {"compression": "gzip", "compression_opts": 9, "maxshape": (None, None)}
    data = file.create_dataset(NAME, (1 << 11, 1 << 11), "f4", chunks=(1 << 11, 1 << 11), **storage)
    data[...] = 0.0
    data.resize(array.shape)


def compressed_twice(file: h5py.File, array: np.ndarray) -> None:
    filters = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    filters.set_chunk(array.shape)
    filters.set_deflate(9)
    filters.set_deflate(9)
    space = h5py.h5s.create_simple(array.shape)
    data = h5py.h5d.create(file["CNN_proj"].id, b"W_proj", h5py.h5t.IEEE_F32LE, space, filters)
    data.write(h5py.h5s.ALL, h5py.h5s.ALL, array)


NOT_PLAIN = (
    external_link,
    external_group,
    soft_link,
    external_storage,
    virtual,
    integers,
    a_group,
    no_values,
    never_written,
    huge_chunk,
    large_chunk_that_is_there,
    compressed_twice,
)


@pytest.mark.parametrize("make", NOT_PLAIN)
def test_only_plain_datasets_of_the_file_itself_are_weights(
    folder: Path, make: Callable[[h5py.File, np.ndarray], Any]
) -> None:
    path = replaced(folder, make)
    with refused(path, "CNN_proj/", "is not a plain dataset"):
        read_weights(folder)


@pytest.mark.parametrize(
    "storage",
    [
        {"chunks": (2, 2)},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf"},
        {"maxshape": (None, None)},
        {"maxshape": (None, None), "chunks": (1 << 9, 1 << 9)},
        {"dtype": "f8"},
    ],
    ids=str,
)
def test_other_ways_to_store_an_array_are_read(folder: Path, storage: dict[str, Any]) -> None:
    digest = read_weights(folder).digest
    replaced(folder, lambda file, array: file.create_dataset(NAME, data=array, **storage))
    assert read_weights(folder).digest == digest


def test_zeros_compressed_as_far_as_they_go_are_read(folder: Path) -> None:
    zeros = np.zeros((2 * OPTIONS.projection_dim, 1 << 17), np.float32)
    with h5py.File(folder / "softmax.hdf5", "w") as file:
        file.create_dataset("W", data=zeros.reshape(-1, 4), compression="gzip", chunks=(1 << 18, 4))
        file["b"] = np.zeros(zeros.size // 4, np.float32)
    words = [*SPECIAL, *map(str, range(zeros.size // 4 - len(SPECIAL)))]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    read_softmax(folder, OPTIONS)


def test_an_array_of_terabytes_in_a_small_file_is_not_read(folder: Path) -> None:
    path = replaced(folder, lambda file, _: file.create_dataset(NAME, (1 << 20, 1 << 20), "f4"))
    assert path.stat().st_size < 100_000
    with refused(path, NAME, "4,398,046,511,104 bytes"):
        read_weights(folder)


def test_an_array_of_gigabytes_that_its_options_ask_for_is_not_read(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_text())
    options["lstm"] |= {"dim": 8_000, "projection_dim": 8_000}
    (folder / "options.json").write_text(json.dumps(options))
    cell = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"
    with h5py.File(folder / "weights.hdf5", "r+") as file:
        del file[cell]
        file.create_dataset(cell, (16_000, 32_000), "f4", chunks=(16_000, 1), compression="gzip")
    with refused(folder / "weights.hdf5", cell, "2,048,000,000 bytes"):
        read_weights(folder)


def test_all_shapes_are_compared_before_any_data_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(folder / "weights.hdf5", "r+") as file:
        del file["RNN_1"]
    monkeypatch.setattr(h5py.Dataset, "__array__", None)
    with refused(folder / "weights.hdf5", "no array RNN_1/"):
        read_weights(folder)
