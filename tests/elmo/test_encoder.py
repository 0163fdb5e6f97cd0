"""The native encoder gives the vectors that the definition of the biLM gives."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import output_names
from tests.helpers.oracle import ANY_CHARACTER, Oracle, assert_close, characters_of, random_weights
from tests.helpers.refusal import refused

SHAPES = {
    "as published": ModelOptions(
        filters=((1, 4), (2, 8), (3, 8), (7, 4)), char_dim=4, activation="relu", n_highway=2,
        max_characters=50, lstm_dim=12, projection_dim=6, n_layers=2, cell_clip=3.0, proj_clip=3.0,
        use_skip_connections=True,
    ),
    "no projection, no clips": ModelOptions(
        filters=((2, 3), (3, 5)), char_dim=3, activation="tanh", n_highway=0, max_characters=50,
        lstm_dim=8, projection_dim=8, n_layers=1, cell_clip=None, proj_clip=None,
        use_skip_connections=True,
    ),
    "three layers, tight clips": ModelOptions(
        filters=((1, 5), (3, 6)), char_dim=5, activation="tanh", n_highway=3, max_characters=20,
        lstm_dim=10, projection_dim=7, n_layers=3, cell_clip=0.3, proj_clip=0.2,
        use_skip_connections=True,
    ),
    "one window per word": ModelOptions(
        filters=((5, 9),), char_dim=4, activation="relu", n_highway=1, max_characters=5,
        lstm_dim=9, projection_dim=4, n_layers=2, cell_clip=0.5, proj_clip=None,
        use_skip_connections=False,
    ),
    "projection in the cell only": ModelOptions(
        filters=((4, 4), (1, 2)), char_dim=2, activation="relu", n_highway=0, max_characters=12,
        lstm_dim=11, projection_dim=6, n_layers=2, cell_clip=None, proj_clip=0.1,
        use_skip_connections=False,
    ),
    "projection of the characters only": ModelOptions(
        filters=((1, 2), (6, 7)), char_dim=3, activation="tanh", n_highway=1, max_characters=30,
        lstm_dim=6, projection_dim=6, n_layers=3, cell_clip=0.4, proj_clip=0.1,
        use_skip_connections=True,
    ),
}  # fmt: skip

LONG = "x" * 1000
TOKENS = st.one_of(
    st.sampled_from(["a", "b", "the", "", "<S>", "</S>", LONG, LONG + "y", "é" * 30, "\ud800"]),
    st.text(ANY_CHARACTER, max_size=8),  # any code point, lone surrogates included
    st.text(ANY_CHARACTER, min_size=1, max_size=3).map(lambda t: (t * 1000)[:1000]),
)


@st.composite
def texts(draw: st.DrawFn) -> list[list[str]]:
    """Sentences that share beginnings and ends, or repeat, or are empty."""
    stems = draw(st.lists(st.lists(TOKENS, max_size=5), min_size=1, max_size=4))
    stem, cut = st.sampled_from(stems), st.integers(0, 5)
    parts = draw(st.lists(st.tuples(stem, cut, stem, cut), max_size=8))
    return [head[:i] + tail[j:] for head, i, tail, j in parts]


@cache
def model(shape: str) -> tuple[Encoder, Oracle]:
    """One encoder per shape for all tests: TensorFlow takes a second to trace each.

    Its layers run in two or three slices, of which the last is smaller.
    """
    weights = random_weights(SHAPES[shape])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elmo_beam.elmo.layers.tree_lstm.UNITS", 5)
        return Encoder(weights), Oracle(weights)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=40)
@given(text=texts())
@example(text=[])
@example(text=[[]])
@example(text=[["a", "b"], [], ["a", "b"], ["a"], ["b"]])
def test_every_output_is_the_oracles(shape: str, text: list[list[str]]) -> None:
    encoder, oracle = model(shape)
    want = oracle.encode_all(text)
    got = encoder.encode(text, output_names(encoder.options))
    assert list(got) == output_names(encoder.options)
    for name, vectors in got.items():
        assert vectors.dtype == np.float32
        assert_close(vectors, want[name], 1e-5)


@cache
def with_boundary_tokens(memory: int) -> tuple[Encoder, Oracle]:
    weights = random_weights(SHAPES["as published"])
    return Encoder(weights, memory, boundary_tokens=True), Oracle(weights, boundary_tokens=True)


@pytest.mark.parametrize("memory", [1 << 30, 1])  # 1: no vector is in the cache for long
@settings(max_examples=20)
@given(text=texts())
@example(text=[["<S>", "a", "</S>", "<s>", "<S>"], ["a", "<S>a"], []])
def test_boundaries_as_tokens(memory: int, text: list[list[str]]) -> None:
    encoder, oracle = with_boundary_tokens(memory)
    want = oracle.encode_all(text)
    for name, vectors in encoder.encode(text, output_names(encoder.options)).items():
        assert_close(vectors, want[name], 1e-5)


@pytest.mark.parametrize("shape", ["as published", "one window per word"])
def test_a_word_of_any_length_alone(shape: str) -> None:
    """Rows are cut after their longest word; every cut gives what full padding gives."""
    encoder, oracle = model(shape)
    for size in range(60):
        word = "q" * size
        want = oracle.token_vector(characters_of(word, encoder.options.max_characters))
        assert_close(encoder.encode([[word]], ["word_emb"])["word_emb"][0], want, 1e-5)


def test_more_words_than_one_call_of_the_character_encoder_takes() -> None:
    encoder, oracle = model("as published")
    words = [f"{n}" + "z" * (n % 50) for n in range(1000)]
    got = encoder.encode([words], ["word_emb"])["word_emb"]
    want = np.stack([oracle.token_vector(characters_of(w, 50)) for w in words])
    assert_close(got, want, 1e-5)


def test_a_sentence_of_5000_tokens() -> None:
    encoder, oracle = model("three layers, tight clips")
    rng = np.random.default_rng(5)
    tokens = [f"w{n}" for n in rng.integers(0, 40, 5000)]
    want = oracle.encode(tokens)
    got = encoder.encode([["w1"], tokens, ["w2"]], output_names(encoder.options))
    for name, vectors in got.items():
        assert_close(vectors[1] if name == "default" else vectors[1:-1], want[name], 1e-5)


@given(text=texts())
@settings(max_examples=15)
def test_default_is_the_mean_over_a_sentences_own_tokens(text: list[list[str]]) -> None:
    encoder, _ = model("as published")
    means = encoder.encode(text, ["default"])["default"]
    assert means.shape == (len(text), 12)
    vectors = encoder.encode(text, ["elmo"])["elmo"]
    begin = 0
    for tokens, mean in zip(text, means, strict=True):
        own = vectors[begin : begin + len(tokens)]
        begin += len(tokens)
        assert_close(mean, own.mean(axis=0) if tokens else np.zeros(12), 1e-6)


def test_only_the_outputs_asked_for_are_given() -> None:
    encoder, _ = model("as published")
    got = encoder.encode([["a"]], ["default", "word_emb", "default"])
    assert set(got) == {"word_emb", "default"}
    assert set(encoder.encode([["a"]])) == {"elmo"}


@pytest.mark.parametrize("outputs", [["lstm_outputs3"], ["elmo", "lstm_outputs0"], ["Elmo"], [""]])
def test_an_output_that_the_model_lacks_is_refused(outputs: list[str]) -> None:
    encoder, _ = model("as published")
    with refused(repr(outputs[-1]), "word_emb, lstm_outputs1, lstm_outputs2, elmo, default"):
        encoder.encode([["a"]], outputs)


def gold_sentences(bilm_tf: Path) -> list[list[list[str]]]:
    """The authors' three lists of ten sentences."""
    lists = json.loads((bilm_tf / "lm_embeddings_sentences.json").read_text())
    return [[sentence.split() for sentence in sentences] for sentences in lists]


@cache
def published(folder: Path) -> tuple[Encoder, Oracle]:
    weights = read_bilm(folder)
    return Encoder(weights), Oracle(weights)


def test_all_layers_are_gold(bilm_tf: Path) -> None:
    sentences = [s for ten in gold_sentences(bilm_tf) for s in ten]
    assert len(sentences) == 30
    got = published(bilm_tf)[0].encode(sentences, ["word_emb", "lstm_outputs1", "lstm_outputs2"])
    with np.load(bilm_tf / "zero_state.npz") as file:
        gold = np.concatenate([file[str(i)] for i in range(30)], axis=1)
    assert_close(np.concatenate([got["word_emb"]] * 2, axis=1), gold[0], 1e-6)
    assert_close(got["lstm_outputs1"], gold[1], 1e-6)
    assert_close(got["lstm_outputs2"], gold[2], 1e-6)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_top_layer_is_the_authors(bilm_tf: Path, k: int) -> None:
    """Only their first sentence of each list began with zero state."""
    got = published(bilm_tf)[0].encode(gold_sentences(bilm_tf)[k][:1], ["lstm_outputs2"])
    with h5py.File(bilm_tf / f"lm_embeddings_{k}.hdf5") as file:
        gold = np.concatenate(list(file["0"][...]), axis=1)
    assert_close(got["lstm_outputs2"], gold, 1e-6)


def test_the_oracle_itself_is_gold(bilm_tf: Path) -> None:
    with np.load(bilm_tf / "zero_state.npz") as file:
        for i, tokens in enumerate(gold_sentences(bilm_tf)[0][:3]):
            got = published(bilm_tf)[1].encode(tokens)
            vectors = got["word_emb"]
            assert_close(np.concatenate([vectors, vectors], axis=1), file[str(i)][0], 1e-6)
            assert_close(got["lstm_outputs1"], file[str(i)][1], 1e-6)
            assert_close(got["lstm_outputs2"], file[str(i)][2], 1e-6)
            assert_close(got["elmo"], file[str(i)].mean(axis=0), 1e-6)
