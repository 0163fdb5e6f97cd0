"""The published layout, written and read back, and every way in which a folder can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm, write_bilm
from elmo_beam.elmo.model.options import ModelOptions
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model in the published layout, for the test to spoil."""
    write_bilm(unmixed(OPTIONS), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        replace(OPTIONS, projection_dim=5, n_highway=0, activation="relu", cell_clip=None),
        replace(OPTIONS, n_layers=1, max_characters=7, use_skip_connections=False, proj_clip=0.5),
    ],
)
def test_written_weights_read_back_the_same(options: ModelOptions, tmp_path: Path) -> None:
    weights = unmixed(options)
    write_bilm(weights, tmp_path / "some" / "where")
    again = read_bilm(tmp_path / "some" / "where")
    assert again.options == options
    assert again.digest == weights.digest
    assert again.arrays.keys() == weights.arrays.keys()
    for name, array in again.arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, weights.arrays[name])


def test_the_file_is_as_the_authors_write_it(folder: Path) -> None:
    with h5py.File(folder / "weights.hdf5") as file:
        assert file["char_embed"].shape == (261, 3)
        assert file["RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"].shape == (5, 4)
    options = json.loads((folder / "options.json").read_text())
    assert options["char_cnn"]["filters"] == [[1, 2], [2, 3]]
    assert options["lstm"]["projection_dim"] == 4


def test_the_authors_own_file(bilm_tf: Path, tmp_path: Path) -> None:
    """There are other HDF5 files beside it, whose names show that they are not weights."""
    weights = read_bilm(bilm_tf)
    with h5py.File(bilm_tf / "lm_weights.hdf5") as file:
        np.testing.assert_array_equal(weights.arrays["char_embed"][1:], file["char_embed"][...])
        assert not weights.arrays["char_embed"][0].any()
        name = "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_0"
        np.testing.assert_array_equal(weights.arrays[name], file[name][...])
    write_bilm(weights, tmp_path)
    assert read_bilm(tmp_path).digest == weights.digest


@pytest.mark.parametrize("name", ["elmo_2x1024.hdf5", "model.h5"])
def test_any_single_hdf5_file_will_do(folder: Path, name: str) -> None:
    digest = read_bilm(folder).digest
    (folder / "weights.hdf5").rename(folder / name)
    (folder / "softmax.hdf5").write_bytes(b"of a training")
    assert read_bilm(folder).digest == digest


def test_files_under_the_names_that_they_are_published_by(folder: Path) -> None:
    """Pairs of options and weights in one folder, and options that several weights share."""
    digest = read_bilm(folder).digest
    weights, options = folder / "weights.hdf5", folder / "options.json"
    for name in ("a_weights.hdf5", "b_weights.hdf5"):
        (folder / name).write_bytes(weights.read_bytes())
    weights.unlink()
    options.rename(folder / "shared_options.json")
    with refused(folder, "a_weights.hdf5", "b_weights.hdf5", "--model"):
        read_bilm(folder)
    for name in ("a_weights.hdf5", "b_weights.hdf5"):
        assert read_bilm(folder / name).digest == digest
    other = replace(OPTIONS, activation="relu")
    (folder / "b_options.json").write_text(json.dumps(other.to_json()))
    assert read_bilm(folder / "b_weights.hdf5").options == other
    with refused("a_options.json", "b_options.json, shared_options.json"):
        read_bilm(folder / "a_weights.hdf5")


def test_a_model_of_one_layer_as_the_authors_dump_it(tmp_path: Path) -> None:
    """One layer has no MultiRNNCell, and so no number."""
    weights = unmixed(replace(OPTIONS, n_layers=1))
    write_bilm(weights, tmp_path)
    with h5py.File(tmp_path / "weights.hdf5", "r+") as file:
        for direction in ("RNN_0", "RNN_1"):
            cell = f"{direction}/RNN/MultiRNNCell"
            file.move(f"{cell}/Cell0/LSTMCell", f"{direction}/RNN/LSTMCell")
            del file[cell]
    assert read_bilm(tmp_path).digest == weights.digest


def test_arrays_of_another_precision_are_read_as_float32(folder: Path) -> None:
    digest = read_bilm(folder).digest
    spoil(folder, "CNN/b_cnn_0", lambda array: array.astype(np.float64))
    weights = read_bilm(folder)
    assert weights.arrays["CNN/b_cnn_0"].dtype == np.float32
    assert weights.digest == digest


def spoil(folder: Path, name: str, change: object) -> None:
    """Put another array in the place of one, or none."""
    with h5py.File(folder / "weights.hdf5", "r+") as file:
        array = file[name][...]
        del file[name]
        if callable(change):
            file[name] = change(array)


def test_a_folder_without_options(folder: Path, tmp_path: Path) -> None:
    (folder / "options.json").unlink()
    with refused("options.json", folder):
        read_bilm(folder)
    with refused("options.json", tmp_path / "nowhere"):
        read_bilm(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[1]", "\ufeff"])
def test_options_that_are_not_the_json_of_a_model(folder: Path, text: str) -> None:
    (folder / "options.json").write_text(text, encoding="utf-8")
    with refused(folder / "options.json"):
        read_bilm(folder)


def test_options_without_a_field(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_text())
    del options["lstm"]["dim"]
    (folder / "options.json").write_text(json.dumps(options))
    with refused(folder / "options.json", "'dim'"):
        read_bilm(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "weights.hdf5").rename(folder / "softmax.hdf5")
    with refused(folder, "no weights"):
        read_bilm(folder)


@pytest.mark.parametrize("names", [("a.hdf5", "b.hdf5"), ("a_weights.hdf5", "b_weights.hdf5")])
def test_two_files_of_weights(folder: Path, names: tuple[str, str]) -> None:
    data = (folder / "weights.hdf5").read_bytes()
    (folder / "weights.hdf5").unlink()
    for name in names:
        (folder / name).write_bytes(data)
    with refused(folder, *names):
        read_bilm(folder)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights(folder: Path, part: float) -> None:
    path = folder / "weights.hdf5"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with refused("cannot read", path):
        read_bilm(folder)


@pytest.mark.parametrize("mark", [b"TREE", b"SNOD", b"HEAP"])
def test_weights_damaged_inside(folder: Path, mark: bytes) -> None:
    """The nodes of the file's directory lose their marks, as when a download was patched wrong."""
    path = folder / "weights.hdf5"
    data = path.read_bytes()
    assert mark in data
    path.write_bytes(data.replace(mark, b"\0\0\0\0"))
    with refused(path):
        read_bilm(folder)


def test_a_file_that_is_not_hdf5(folder: Path) -> None:
    (folder / "weights.hdf5").write_text("<html>404</html>")
    with refused("cannot read", folder / "weights.hdf5"):
        read_bilm(folder)


@pytest.mark.parametrize("name", ["char_embed", "CNN/W_cnn_1", "CNN_high_0/b_carry"])
def test_a_missing_array(folder: Path, name: str) -> None:
    spoil(folder, name, None)
    with refused(folder / "weights.hdf5", name, "no array"):
        read_bilm(folder)


def test_an_array_of_another_model(folder: Path) -> None:
    spoil(folder, "CNN_proj/W_proj", lambda array: array.T)
    with refused(folder / "weights.hdf5", "CNN_proj/W_proj", "[4, 5]", "[5, 4]"):
        read_bilm(folder)


def test_a_character_table_with_its_padding_row(folder: Path) -> None:
    """As some exports have it: what a reader would add is there already."""
    digest = read_bilm(folder).digest
    spoil(folder, "char_embed", lambda table: np.pad(table, [(1, 0), (0, 0)]))
    assert read_bilm(folder).digest == digest


@pytest.mark.parametrize("where", [(1, 0), (0, 1)], ids=["first", "last"])
@pytest.mark.parametrize("value", [1.0, np.nan])
def test_a_character_table_whose_first_row_of_262_is_not_padding(
    folder: Path, where: tuple[int, int], value: float
) -> None:
    def add_row(table: np.ndarray) -> np.ndarray:
        table[0] = 0.5
        return np.pad(table, [where, (0, 0)], constant_values=value)

    spoil(folder, "char_embed", add_row)
    with refused(folder / "weights.hdf5", "char_embed", "262 rows", "261"):
        read_bilm(folder)


@pytest.mark.parametrize("shape", [(263, 3), (260, 3), (261,), (), (261, 4), (262, 4)])
def test_a_character_table_of_another_shape(folder: Path, shape: tuple[int, ...]) -> None:
    spoil(folder, "char_embed", lambda _: np.zeros(shape, np.float32))
    with refused(folder / "weights.hdf5", "char_embed", "shape", "[261, 3]"):
        read_bilm(folder)


def test_an_array_with_a_value_that_is_not_a_number(folder: Path) -> None:
    spoil(folder, "CNN_proj/b_proj", lambda array: array * np.nan)
    with refused(folder / "weights.hdf5", "CNN_proj/b_proj", "not finite"):
        read_bilm(folder)


@pytest.mark.parametrize("change", [lambda _: "text", lambda a: a.astype(complex)])
def test_an_array_without_real_numbers(folder: Path, change: object) -> None:
    spoil(folder, "CNN_proj/b_proj", change)
    with refused(folder / "weights.hdf5"):
        read_bilm(folder)
