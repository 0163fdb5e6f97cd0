"""ELMoForManyLangs: its authors' vectors, an oracle in their own terms, and what is refused."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.formats.handles import load_encoder, read_weights
from elmo_beam.elmo.formats.many_langs import read_many_langs
from elmo_beam.elmo.keras_layer import ElmoLayer
from elmo_beam.elmo.preparation import padded_tokens
from tests.helpers.many_langs import ManyLangsOracle
from tests.helpers.oracle import assert_close
from tests.helpers.refusal import refused

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from random_many_langs import PUBLISHED, SPECIAL_CHARACTERS, random_arrays, save, write_model

LAYERS = ("word_emb", "lstm_outputs1", "lstm_outputs2")
WORDS = ("the", "bank", "river", "Bank", "日本", "x" * 8, "naïve")
CHARACTERS = tuple("abcdeknrtxBhivï日本")
SHAPE: dict[str, Any] = {
    "encoder": {"name": "elmo", "projection_dim": 4, "cell_clip": 1.5, "proj_clip": 0.5, "dim": 6,
                "n_layers": 2},
    "token_embedder": {
        "name": "cnn", "activation": "relu", "filters": [[1, 3], [2, 2], [4, 3]], "n_highway": 2,
        "word_dim": 3, "char_dim": 2, "max_characters_per_token": 10,
    },
}  # fmt: skip


def shaped(**changes: Any) -> dict[str, Any]:
    """SHAPE with other fields of its two sections."""
    changed: dict[str, Any] = json.loads(json.dumps(SHAPE))
    for name, value in changes.items():
        section = "encoder" if name in SHAPE["encoder"] and name != "name" else "token_embedder"
        changed[section][name] = value
    return changed


SHAPES = {
    "as wide as its cells": shaped(dim=4),
    "both": SHAPE,
    "words": shaped(char_dim=0),
    "characters": shaped(word_dim=0),
    "tanh": shaped(activation="tanh", n_highway=0),
    "one layer": shaped(n_layers=1, cell_clip=None, proj_clip=None),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model, for the test to spoil."""
    write_model(tmp_path / "model", WORDS, CHARACTERS, SHAPE)
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["word_and_char", "word_only", "zip_word_and_char"])
def test_the_authors_own_vectors(reference: Path, name: str) -> None:
    text = (reference / "many_langs" / "sentences.txt").read_text(encoding="utf-8")
    sentences = [line.split() for line in text.splitlines()]
    got = load_encoder(reference / "many_langs" / name).encode(sentences, [*LAYERS, "elmo"])
    gold = np.load(reference / "many_langs" / name / "gold.npz")
    want = np.concatenate([gold[f"arr_{i}"] for i in range(len(sentences))], axis=1)
    layers = np.stack([np.tile(got["word_emb"], 2), got["lstm_outputs1"], got["lstm_outputs2"]])
    assert layers.shape == want.shape
    assert np.abs(layers - want).max() <= 1e-6 * np.abs(want).max()
    assert np.abs(got["elmo"] - want.mean(axis=0)).max() <= 1e-6 * np.abs(want).max()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_agrees_with_the_oracle(name: str, zipped: bool, tmp_path: Path) -> None:
    write_model(tmp_path, WORDS, CHARACTERS, SHAPES[name], zipped)
    oracle = ManyLangsOracle(tmp_path, SHAPES[name])
    sentences = [
        ["the", "bank", "of", "日本"],
        ["x" * 30, "<bos>", "<eos>", "<oov>", "<pad>"],
        ["𝔘"],
    ]
    got = Encoder(read_many_langs(tmp_path)).encode(sentences, ["word_emb", "elmo"])
    want = [oracle.encode(tokens) for tokens in sentences]
    assert_close(got["word_emb"], np.concatenate([layers[0][:, :4] for layers in want]), 1e-6)
    assert_close(got["elmo"], np.concatenate([layers.mean(axis=0) for layers in want]), 1e-6)


TOKENS = st.one_of(
    st.sampled_from([*WORDS, *SPECIAL_CHARACTERS, "<oov>"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=14),
)


@settings(max_examples=30)
@given(sentences=st.lists(st.lists(TOKENS, max_size=6), max_size=4))
def test_any_text_agrees_with_the_oracle(
    sentences: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "many_langs"
    if not folder.exists():
        write_model(folder, WORDS, CHARACTERS, SHAPE)
    encoder = cached_encoder(folder)
    oracle = ManyLangsOracle(folder, SHAPE)
    got = encoder.encode(sentences, ["elmo"])["elmo"]
    want = [oracle.encode(tokens).mean(axis=0) for tokens in sentences]
    assert_close(got, np.concatenate([np.zeros((0, 8)), *want]), 1e-6)


@cache
def cached_encoder(folder: Path) -> Encoder:
    return Encoder(read_many_langs(folder))


@pytest.mark.parametrize("trainable", [False, "mix", "all"])
def test_the_keras_layer(folder: Path, tmp_path: Path, trainable: str | bool) -> None:
    import keras

    sentences = [["the", "bank", "日本", "x" * 30], ["<bos>"], ["unknown", "𝔘𝔫", "<eos>"]]
    inputs = keras.Input((None,), dtype="string")
    model = keras.Model(inputs, ElmoLayer(folder, trainable=trainable)(inputs))
    got = np.asarray(model(padded_tokens(sentences, 4)))
    want = load_encoder(folder).encode(sentences)["elmo"]
    assert_close(np.concatenate([got[i, : len(s)] for i, s in enumerate(sentences)]), want, 1e-5)
    model.save(tmp_path / "model.keras")
    (folder / "word.dic").unlink()  # the model itself is no longer needed
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(again(padded_tokens(sentences, 4))), got)


def test_the_lexicons_are_part_of_the_digest(folder: Path) -> None:
    digest = read_weights(folder).digest
    path = folder / "word.dic"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("river", "brook"), encoding="utf-8")
    assert read_weights(folder).digest != digest


def test_a_line_of_one_field_is_the_ideographic_space(tmp_path: Path) -> None:
    write_model(tmp_path, WORDS, [*CHARACTERS, "\u3000"], SHAPE)
    rows = read_many_langs(tmp_path).lexicon.characters
    assert rows["\u3000"] == len(SPECIAL_CHARACTERS) + len(CHARACTERS)


@pytest.mark.parametrize("named", ["shape.json", "/users/somebody/configs/shape.json"])
def test_the_shape_is_in_the_file_that_config_names(folder: Path, named: str) -> None:
    (folder / "config.json").write_text(json.dumps({"config_path": named}))
    assert read_many_langs(folder).options.lstm_dim == 6


def test_a_lexicon_with_a_byte_order_mark(folder: Path) -> None:
    digest = read_weights(folder).digest
    text = (folder / "word.dic").read_text(encoding="utf-8")
    (folder / "word.dic").write_text(text, encoding="utf-8-sig")
    assert read_weights(folder).digest == digest


def test_a_shape_elsewhere_is_the_published_one(folder: Path, tmp_path: Path) -> None:
    """Also if that file exists on this machine: a model is read from its own folder only."""
    (folder / "shape.json").rename(tmp_path / "elsewhere.json")
    outside = tmp_path / "elsewhere.json"
    for named in ("../elsewhere.json", str(outside), "none.json", "a\0b", "x" * 5000, 7, None):
        (folder / "config.json").write_text(json.dumps({"config_path": named}))
        with refused("[4, 11]", "[512, 2148]"):
            read_many_langs(folder)


@pytest.mark.parametrize(
    ("part", "kind"), [("token_embedder", "lstm"), ("encoder", "lstm"), ("encoder", "other")]
)
def test_parts_of_another_kind_are_refused(folder: Path, part: str, kind: str) -> None:
    shape = shaped()
    shape[part]["name"] = kind
    (folder / "shape.json").write_text(json.dumps(shape))
    with refused(folder / "shape.json", kind):
        read_many_langs(folder)


@pytest.mark.parametrize(
    ("file", "pattern", "instead", "parts"),
    [
        ("word.dic", r"\Z", "more\t11\n", ("12", "11")),
        ("word.dic", r"\t3\b", "\tthree", ("line 4 of", "word.dic")),
        ("word.dic", r"\t3\b", "\tmore\t3", ("line 4 of", "word.dic")),
        ("word.dic", r"\t3\b", "\t3\n", ("line 5 of", "word.dic")),
        ("word.dic", r"(?s).*", "", ("line 1 of", "word.dic")),
        ("char.dic", "k\t11", "k\t111", ("char.dic", "from 0")),
        ("char.dic", "<bow>", "bow", ("<bow>",)),
        ("config.json", r"(?s).+", "[]", ("config.json",)),
        ("config.json", r"(?s).+", "{", ("config.json",)),
        ("shape.json", r"(?s).+", "{}", ("shape.json",)),
        ("shape.json", '"dim": 6', '"dim": 7', ("24", "28")),
        ("shape.json", '"dim": 6', '"dim": "6"', ("shape.json",)),
        ("shape.json", '"n_highway": 2', '"n_highway": 1', ("highways",)),
        ("shape.json", '"n_highway": 2', '"other": 1', ("n_highway",)),
        ("shape.json", '"n_layers": 2', '"n_layers": 1', ("layer_1",)),
        ("shape.json", '"n_layers": 2', '"other": 1', ("n_layers",)),
        ("shape.json", r'"(word|char)_dim": .', r'"\1_dim": 0', ("words",)),
        ("shape.json", r'"filters": .*\]\]', '"filters": []', ("filters",)),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(
    folder: Path, file: str, pattern: str, instead: str, parts: tuple[str, ...]
) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    changed = re.sub(pattern, instead, text)
    assert changed != text
    (folder / file).write_text(changed, encoding="utf-8")
    with refused(*parts):
        read_many_langs(folder)


@pytest.mark.parametrize("file", ["word.dic", "char.dic", "config.json", "encoder.pkl"])
def test_a_file_that_is_missing(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with refused(folder / file):
        read_weights(folder)


def test_an_array_that_is_missing(folder: Path) -> None:
    embedder, _ = random_arrays(SHAPE, 11, len(SPECIAL_CHARACTERS) + len(CHARACTERS))
    del embedder["projection.bias"]
    save(embedder, folder / "token_embedder.pkl")
    with refused("token_embedder.pkl", "projection.bias"):
        read_many_langs(folder)


def test_the_published_shape_is_that_of_the_authors(tmp_path: Path) -> None:
    from elmo_beam.elmo.formats import many_langs

    for section in ("encoder", "token_embedder"):
        assert many_langs.PUBLISHED[section] == PUBLISHED[section]
