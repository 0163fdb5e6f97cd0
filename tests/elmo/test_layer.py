"""The Keras layer: the encoder's vectors, masks, gradients, saving."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.elmo import keras_layer
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm, write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.keras_layer import ElmoLayer
from elmo_beam.elmo.layers.string_ids import string_character_ids
from elmo_beam.elmo.model.characters import character_ids, token_bytes
from tests.helpers.command import SMALL
from tests.helpers.oracle import Oracle, random_weights
from tests.helpers.refusal import refused

OUTPUTS = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo", "default")
SENTENCES = [["The", "bank", "of", "it", "."], ["Yes"], ["naïve", "x" * 70, "日本"]]
JOINED = [" ".join(s) for s in SENTENCES]
Folder = Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A small model; the published layout has no mix, so its layers have equal shares."""
    path = tmp_path_factory.mktemp("layer") / "model"
    write_bilm(random_weights(SMALL), path)
    return path


def padded(sentences: list[list[str]], more: int = 0) -> tf.Tensor:
    """Tokens with "" after each sentence's end."""
    length = max(map(len, sentences)) + more
    return tf.constant([[*s, *[""] * (length - len(s))] for s in sentences])


def flat(vectors: tf.Tensor, mask: np.ndarray) -> np.ndarray:
    return np.asarray(vectors)[mask]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("given", ["joined", "padded", "padded further"])
def test_its_vectors_are_the_oracles(folder: Folder, output: str, given: str) -> None:
    layer = ElmoLayer(str(folder), output)
    more = 3 if given == "padded further" else 0
    got = layer(tf.constant(JOINED) if given == "joined" else padded(SENTENCES, more))
    want = Oracle(read_bilm(folder)).encode_all(SENTENCES)[output]
    if output == "default":
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
        return
    mask = np.asarray(got._keras_mask)
    assert mask.tolist() == [[i < len(s) for i in range(5 + more)] for s in SENTENCES]
    np.testing.assert_allclose(flat(got, mask), want, rtol=0, atol=1e-5)
    assert not np.asarray(got)[~mask].any()


tokens = st.text(st.characters(exclude_characters=" \0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=20)
@given(st.lists(st.lists(tokens, max_size=4), min_size=1, max_size=4))
def test_whatever_the_tokens_it_is_the_encoder(sentences: list[list[str]]) -> None:
    layer, encoder = default_layer(), default_encoder()
    got = layer(tf.constant([" ".join(s) for s in sentences]))
    want = encoder.encode(sentences, ["elmo"])["elmo"]
    np.testing.assert_allclose(flat(got, np.asarray(got._keras_mask)), want, rtol=0, atol=1e-5)


@cache
def default_layer() -> ElmoLayer:
    return ElmoLayer()


@cache
def default_encoder() -> Encoder:
    return Encoder(read_weights("default"))


@given(st.lists(tokens, min_size=1, max_size=5), st.integers(3, 60))
def test_character_ids_in_the_graph_are_the_encoders(words: list[str], most: int) -> None:
    want = character_ids([token_bytes(w, most) for w in words], most)
    np.testing.assert_array_equal(string_character_ids(tf.constant(words), most), want)


def test_the_reference_and_a_hub_module(
    bilm_tf: Path, hub_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gold vectors of the authors' model; as a module, it has a mix of its own."""
    # To read a module takes seconds: once is enough for layers that differ only in their output.
    monkeypatch.setattr(keras_layer, "read_weights", cache(read_weights))
    sentences = [["This", "is", "a", "test", "."], ["Another"]]
    for handle, outputs in ((bilm_tf, ("lstm_outputs2",)), (hub_module, ("elmo", "default"))):
        encoder = Encoder(read_weights(str(handle)))
        for output in outputs:
            got = ElmoLayer(str(handle), output)(padded(sentences))
            want = encoder.encode(sentences, [output])[output]
            if output != "default":
                got = flat(got, np.asarray(got._keras_mask))
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_empty_sentences_and_spaces(folder: Folder) -> None:
    layer = ElmoLayer(str(folder))
    got = layer(tf.constant(["", "  a  b ", " "]))
    assert np.asarray(got._keras_mask).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    np.testing.assert_allclose(got[1], layer(tf.constant(["a b"]))[0], rtol=0, atol=1e-6)
    assert layer(tf.constant([""])).shape == (1, 0, 2 * SMALL.projection_dim)
    assert not np.asarray(ElmoLayer(str(folder), "default")(tf.constant(["", " "]))).any()


@pytest.mark.parametrize(
    ("trainable", "count"), [(False, 0), ("mix", 2), ("all", 2 + len(SMALL.shapes()))]
)
def test_what_is_trained(folder: Folder, trainable: str | bool, count: int) -> None:
    layer = ElmoLayer(str(folder), trainable=trainable)
    assert len(layer.trainable_weights) == count
    assert len(layer.weights) == 2 + len(SMALL.shapes())


@pytest.mark.parametrize(("output", "training"), [("elmo", True), ("default", False)])
def test_gradients_are_the_numerical_ones(folder: Folder, output: str, training: bool) -> None:
    """Of the mix and of every array, in float64, along random directions."""
    layer = ElmoLayer(str(folder), output, trainable="all", dtype="float64")
    rng = np.random.default_rng(1)
    weigh = rng.normal(size=layer(tf.constant(JOINED)).shape)

    @tf.function
    def loss() -> tf.Tensor:
        return tf.reduce_sum(layer(tf.constant(JOINED), training=training) * weigh)

    with tf.GradientTape() as tape:
        value = loss()
    variables = layer.trainable_weights
    for variable, gradient in zip(
        variables, tape.gradient(value, [v.value for v in variables]), strict=True
    ):
        direction = rng.normal(size=variable.shape)
        direction /= np.linalg.norm(direction)
        here, nearby = np.asarray(variable), []
        for sign in (-1, 1):
            variable.assign(here + sign * 1e-6 * direction)
            nearby.append(float(loss()))
        variable.assign(here)
        exact = float(tf.reduce_sum(tf.convert_to_tensor(gradient) * direction))
        assert exact != 0, variable.name
        numeric = (nearby[1] - nearby[0]) / 2e-6
        assert exact == pytest.approx(numeric, rel=1e-4, abs=1e-7), variable.name


def model_over(layer: ElmoLayer) -> keras.Model:
    """A classifier of sentences."""
    return keras.Sequential(
        [
            keras.Input((), dtype="string"),
            layer,
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def test_fitting_finds_the_mix(folder: Folder) -> None:
    """Fitted to vectors of another mix, only the shares and the scale change, to that mix."""
    text = padded(SENTENCES)
    layer = ElmoLayer(str(folder), trainable="mix")
    wanted = [np.array([1.0, 0.0, -0.5], np.float32), np.float32(1.7)]
    given = [np.array(w) for w in layer.trainable_weights]
    for weight, value in zip(layer.trainable_weights, wanted, strict=True):
        weight.assign(value)
    target = layer(text)
    for weight, value in zip(layer.trainable_weights, given, strict=True):
        weight.assign(value)
    frozen = [np.array(w) for w in layer.non_trainable_weights]
    model = keras.Sequential([keras.Input((None,), dtype="string"), layer])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    first = np.mean((layer(text) - target) ** 2)
    steps = tf.data.Dataset.from_tensors((text, target)).repeat(200)
    model.fit(steps, shuffle=False, verbose=0)
    assert np.mean((layer(text) - target) ** 2) < 0.001 * first
    for weight, before in zip(layer.non_trainable_weights, frozen, strict=True):
        np.testing.assert_array_equal(weight, before)
    raw, scale = (np.asarray(w) for w in layer.trainable_weights)
    got, want = (np.exp(r) / np.exp(r).sum() for r in (raw, np.asarray(wanted[0])))
    np.testing.assert_allclose(got, want, atol=0.1)  # from 1/3 each
    assert scale == pytest.approx(1.7, abs=0.05)


def test_all_of_it_can_be_fit(folder: Folder) -> None:
    model = model_over(ElmoLayer(str(folder), trainable="all"))
    before = [np.array(w) for w in model.layers[0].weights]
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    model.fit(tf.constant(JOINED), np.array([1, 0, 1]), verbose=0)
    for a, b in zip(before, model.layers[0].weights, strict=True):
        assert (a != np.asarray(b)).any(), b.name


def test_saved_loaded_and_exported(folder: Folder, tmp_path: Path) -> None:
    model = model_over(ElmoLayer(str(folder), trainable="mix"))
    model.compile("adam", "binary_crossentropy")
    text = tf.constant(JOINED)
    model.fit(text, np.array([1, 0, 1]), verbose=0)
    want = model.predict(text, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(text, verbose=0), want, rtol=0, atol=1e-6)
    assert len(loaded.layers[0].trainable_weights) == 2
    model.export(tmp_path / "saved", verbose=False)
    exported = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(exported.serve(text), want, rtol=0, atol=1e-6)


def test_a_clone_starts_from_the_models_weights(folder: Folder) -> None:
    model = model_over(ElmoLayer(str(folder)))
    clone = keras.models.clone_model(model)
    for a, b in zip(model.layers[0].weights, clone.layers[0].weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_a_saved_layer_needs_no_model(folder: Folder, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    model = model_over(ElmoLayer(str(tmp_path / "model")))
    want = model.predict(tf.constant(JOINED), verbose=0)
    model.save(tmp_path / "model.keras")
    shutil.rmtree(tmp_path / "model")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(tf.constant(JOINED), verbose=0), want, atol=1e-6)


def test_a_layer_that_was_frozen_is_frozen_when_it_is_loaded(
    folder: Folder, tmp_path: Path
) -> None:
    model = model_over(ElmoLayer(str(folder), trainable="mix"))
    model.layers[0].trainable = False
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").layers[0].trainable_weights == []


def test_a_functional_model_of_padded_tokens_sees_the_mask(folder: Folder) -> None:
    words = keras.Input((None,), dtype="string")
    pooled = keras.layers.GlobalAveragePooling1D()(ElmoLayer(str(folder))(words))
    got = keras.Model(words, pooled).predict(padded(SENTENCES, 4), verbose=0)
    want = Encoder(read_bilm(folder)).encode(SENTENCES, ["default"])["default"]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_what_it_refuses(folder: Folder, tmp_path: Path) -> None:
    with refused("`trainable` 'some'", "mix, all, False"):
        ElmoLayer(str(folder), trainable="some")
    with refused("`output` 'elmos'", "lstm_outputs2"):
        ElmoLayer(str(folder), "elmos")
    with refused(tmp_path / "none"):
        ElmoLayer(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        ("a b", ("`inputs` str",)),
        (None, ("`inputs` NoneType",)),
        (5, ("`inputs` int",)),
        (["a b"], ("`inputs` list",)),
        (tf.constant("a b"), ("shape []",)),
        (np.array("a b"), ("shape []",)),
        (tf.constant([[["a"]]]), ("shape [1, 1, 1]",)),
        (tf.constant([[1.0]]), ("`inputs` of float32",)),
        (np.array([1]), ("`inputs` of int64",)),
        (tf.ragged.constant([["a"], []]), ("`inputs` RaggedTensor", "padded_tokens")),
        (keras.Input((2, 3), dtype="string"), ("shape [None, 2, 3]",)),
        (keras.Input((2,)), ("`inputs` of float32",)),
    ],
)
def test_inputs_of_another_kind_are_one_line(
    folder: Folder, inputs: object, parts: tuple[str, ...]
) -> None:
    with refused(*parts, "[batch] or [batch, length]", "tf.constant", kind=ArgumentError):
        built(folder)(inputs)


@cache
def built(folder: Folder) -> ElmoLayer:
    return ElmoLayer(str(folder))
