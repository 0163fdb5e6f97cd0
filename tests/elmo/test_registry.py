"""What a folder is that is not a model, or more than one: said in one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (["word.dic", "char.dic", "encoder.pkl"], "ELMoForManyLangs"),
        (["options.json", "vocab.txt"], "options without its weights"),
        (["elmo_2x1024_options.json"], "options without its weights"),
        (["options.json", "softmax.hdf5"], "options without its weights"),
        (["config.json", "weights.th", "vocabulary"], "AllenNLP"),
        (["config.json", "pytorch_model.bin"], "transformers"),
        (["model.tar.gz"], "archive"),
        (["144.zip", "README"], "archive"),
        (["variables"], "saved_model.pb"),
        (["checkpoint", "model.ckpt-1.data-00000-of-00001"], "model.ckpt-N.index"),
        (["notes.txt"], "it holds no saved_model.pb"),
        ([], "it holds no saved_model.pb"),
    ],
)
def test_what_looks_like_a_model(tmp_path: Path, files: list[str], what: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with refused(tmp_path, "no model in folder", what):
        read_weights(tmp_path)


def test_a_model_further_down(tmp_path: Path) -> None:
    write_bilm(unmixed(OPTIONS), tmp_path / "a" / "b")
    with refused(tmp_path, f"there is one in {tmp_path / 'a' / 'b'}"):
        read_weights(tmp_path)
    write_bilm(unmixed(OPTIONS), tmp_path / "c")
    with refused(tmp_path, "several model folders", tmp_path / "a" / "b", tmp_path / "c"):
        read_weights(tmp_path)


def test_models_of_two_formats_in_one_folder(tmp_path: Path) -> None:
    write_bilm(unmixed(OPTIONS), tmp_path)
    (tmp_path / "token_embedder.pkl").touch()
    with refused(tmp_path, "token_embedder.pkl", "*.hdf5"):
        read_weights(tmp_path)


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    write_bilm(unmixed(OPTIONS), tmp_path)
    (tmp_path / "weights.hdf5").rename(tmp_path / "WEIGHTS.HDF5")
    for handle in (tmp_path, tmp_path / "WEIGHTS.HDF5"):
        assert read_weights(handle).digest == unmixed(OPTIONS).digest


def test_a_softmax_is_not_a_model(tmp_path: Path) -> None:
    write_bilm(unmixed(OPTIONS), tmp_path)
    (tmp_path / "weights.hdf5").rename(tmp_path / "softmax.hdf5")
    with h5py.File(tmp_path / "softmax.hdf5", "w") as file:
        file["W"] = [[1.0]]
    with refused(tmp_path / "softmax.hdf5", "no array char_embed"):
        read_weights(tmp_path / "softmax.hdf5")


@pytest.mark.parametrize("name", ["model.tar.xz", "model.7z", "weights"])
def test_an_archive_of_another_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with refused(tmp_path / name, "nor an archive (.zip, .tar.gz"):
        read_weights(tmp_path / name)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with refused(tmp_path / "model.bin", "neither a folder nor an archive"):
        read_weights(tmp_path / "model.bin")
