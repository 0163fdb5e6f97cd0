"""`elmo-beam models`: what a handle names, or looks like."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.model.costs import lstm_flops, token_flops
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import NO_CHARACTERS
from tests.helpers.command import ROOT, elmo_beam
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.oracle import random_weights

sys.path.insert(0, str(ROOT / "scripts"))

from random_many_langs import write_model
from random_model import SIZES


def described(handle: object) -> dict[str, str]:
    """What the command prints, by name."""
    lines = elmo_beam("models", handle).succeeds().out.splitlines()
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in lines)}


def test_the_default_model() -> None:
    found = described("default")
    assert found["format"] == "weights of bilm-tf in HDF5, as published"
    assert found["LSTMs"].startswith("2 layers of 512 in each direction, projected to 128")
    assert found["outputs"].startswith("word_emb [128], lstm_outputs1 [256]")
    assert found["parameters"] == "2,996,448 (12 MB in memory)"
    assert found["digest"] == read_weights("default").digest
    assert "vocabulary" not in found


@pytest.fixture
def many_langs(tmp_path: Path) -> Path:
    """A small ELMoForManyLangs model, with what its repository says of it."""
    shape = {
        "encoder": {"name": "elmo", "projection_dim": 4, "cell_clip": 3, "proj_clip": 3, "dim": 6,
                    "n_layers": 1},
        "token_embedder": {
            "name": "cnn", "activation": "relu", "filters": [[1, 3]], "n_highway": 1,
            "word_dim": 3, "char_dim": 2, "max_characters_per_token": 10,
        },
    }  # fmt: skip
    write_model(tmp_path / "144", ["the", "bank"], ["a"], shape)
    meta = {"algorithm": {"name": "ELMo"}, "corpus": [{"language": "eng"}, {"language": "deu"}]}
    (tmp_path / "144" / "meta.json").write_text(json.dumps(meta))
    return tmp_path / "144"


def test_an_archive_of_many_langs(many_langs: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", many_langs)
    found = described(packed)
    assert found["format"] == "ELMoForManyLangs"
    assert found["languages"] == "eng, deu"
    assert found["vocabulary"] == "6 words, 7 characters"
    assert found["tokens"].startswith("a vector of 3 for each word, a CNN over 8 Unicode char")


@pytest.mark.parametrize("meta", ["[]", "{", '{"corpus": 3}', '{"corpus": [{"language": 7}]}'])
def test_a_meta_file_that_says_nothing(many_langs: Path, meta: str) -> None:
    (many_langs / "meta.json").write_text(meta)
    assert "languages" not in described(many_langs)


def test_a_file_of_weights(tmp_path: Path) -> None:
    write_bilm(unmixed(OPTIONS), tmp_path)
    for name in ("a_weights.hdf5", "b_weights.hdf5"):
        shutil.copy(tmp_path / "weights.hdf5", tmp_path / name)
    (tmp_path / "weights.hdf5").unlink()
    assert described(tmp_path / "b_weights.hdf5")["digest"] == unmixed(OPTIONS).digest
    elmo_beam("models", tmp_path).refuses("a_weights.hdf5", "b_weights.hdf5")


def test_a_model_of_words(tmp_path: Path) -> None:
    """Its token encoder costs nothing."""
    options = ModelOptions(
        **NO_CHARACTERS, n_words=3, word_dim=4, lstm_dim=6, projection_dim=4, n_layers=1,
        cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
    )  # fmt: skip
    write_bilm(random_weights(options), tmp_path)
    (tmp_path / "vocab.txt").write_text("<S>\n</S>\n<UNK>\n")
    found = described(tmp_path)
    assert found["vocabulary"] == "3 words"
    assert found["cost"].endswith("and 0 FLOP a distinct token")


def test_what_is_no_model(tmp_path: Path) -> None:
    elmo_beam("models", tmp_path).refuses(tmp_path, "no model in folder")
    elmo_beam("models", tmp_path / "nowhere").refuses(tmp_path / "nowhere", "no model")
    elmo_beam("models").refuses("HANDLE", code=2)


def test_the_cost_of_google_elmo() -> None:
    """As counted in its paper's terms: 151 MFLOP a token, 53 a distinct token."""
    assert round(lstm_flops(SIZES["google"]) / 1e6) == 151
    assert round(token_flops(SIZES["google"]) / 1e6) == 53
