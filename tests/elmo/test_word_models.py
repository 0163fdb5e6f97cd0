"""bilm-tf's models of words: a table of vectors and vocab.txt in place of a character CNN."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import load_encoder, read_weights
from elmo_beam.elmo.keras_layer import ElmoLayer
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import NO_CHARACTERS
from elmo_beam.elmo.preparation import padded_tokens
from tests.helpers.oracle import Oracle, assert_close, random_weights
from tests.helpers.refusal import refused

WORDS = ["<S>", "</S>", "<UNK>", "the", "bank", "naïve", "日本"]
OPTIONS = ModelOptions(
    **NO_CHARACTERS, n_words=len(WORDS), word_dim=4, lstm_dim=6, projection_dim=4, n_layers=2,
    cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
)  # fmt: skip
SENTENCES = [["the", "bank", "of", "日本"], ["<UNK>"], [], ["<S>", "naïve", "Naïve", "</S>"]]


class WordOracle(Oracle):
    """A token's vector is its row of the table."""

    def encode_words(self, tokens: list[str]) -> dict[str, np.ndarray]:
        """Two outputs for one sentence."""
        rows = [WORDS.index(t if t in WORDS else "<UNK>") for t in ["<S>", *tokens, "</S>"]]
        inputs = list(self.arrays["embedding"][rows])
        forward = [layer[1:-1] for layer in self.direction(0, inputs)]
        backward = [layer[::-1][1:-1] for layer in self.direction(1, inputs[::-1])]
        top = np.concatenate([forward[-1], backward[-1]], axis=1)
        return {"word_emb": np.stack(inputs)[1:-1], "lstm_outputs2": top}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model, as bilm-tf dumps it."""
    write_bilm(random_weights(OPTIONS), tmp_path / "model")
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return tmp_path / "model"


def test_vectors_are_those_of_the_oracle(folder: Path) -> None:
    oracle = WordOracle(random_weights(OPTIONS))
    got = load_encoder(folder).encode(SENTENCES, ["word_emb", "lstm_outputs2"])
    want = [oracle.encode_words(tokens) for tokens in SENTENCES if tokens]
    for name, vectors in got.items():
        assert_close(vectors, np.concatenate([part[name] for part in want]), 1e-6)


def test_the_keras_layer(folder: Path) -> None:
    layer = ElmoLayer(folder, output="lstm_outputs2")
    got = np.asarray(layer(padded_tokens(SENTENCES, 4)))
    want = load_encoder(folder).encode(SENTENCES, ["lstm_outputs2"])["lstm_outputs2"]
    real = np.concatenate([row[: len(s)] for row, s in zip(got, SENTENCES, strict=True)])
    assert_close(real, want, 1e-5)


def test_options_are_the_authors_own(folder: Path) -> None:
    """No char_cnn, and whatever else a training wrote."""
    options = json.loads((folder / "options.json").read_text())
    assert "char_cnn" not in options
    options |= {"bidirectional": True, "dropout": 0.1, "n_epochs": 10, "unroll_steps": 20}
    (folder / "options.json").write_text(json.dumps(options))
    assert read_weights(folder).options == OPTIONS


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("\n".join([*WORDS, "more"]), ("8 words", "7")),
        ("\n".join(WORDS[1:]), ("<S>",)),
        ("", ("<S>",)),
    ],
)
def test_a_vocabulary_that_does_not_fit(folder: Path, text: str, parts: tuple[str, ...]) -> None:
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    with refused(folder / "vocab.txt", *parts):
        read_weights(folder)


def test_no_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    with refused(folder, "vocab.txt"):
        read_weights(folder)


def test_the_vocabulary_is_read_as_the_authors_read_it(folder: Path) -> None:
    """Stripped lines, without the one that is no word."""
    lines = [WORDS[0], "!!!MAXTERMID", *(f"{word} \r" for word in WORDS[1:])]
    digest = read_weights(folder).digest
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_weights(folder).digest == digest


def test_a_model_of_neither_words_nor_characters(folder: Path) -> None:
    options = replace(OPTIONS, n_words=0).to_json()
    (folder / "options.json").write_text(json.dumps(options))
    with refused(folder / "options.json", "char_cnn"):
        read_weights(folder)
