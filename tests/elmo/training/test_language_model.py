"""The language models: what they predict from is the biLM's, and their losses are exact."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.training.batches import Batch, BatchMaker
from elmo_beam.elmo.training.language_model import (
    SOFTMAX_B,
    SOFTMAX_W,
    LanguageModel,
    initial_arrays,
    tensors,
)
from elmo_beam.elmo.training.sampled_softmax import draw_samples, sampled_loss
from tests.helpers.command import SMALL
from tests.helpers.oracle import BEGIN_SENTENCE, END_SENTENCE, Oracle, characters_of, random_weights

SENTENCES = [["the", "bank", "of", "the", "river"], ["yes"], ["a", "bank"]]
VOCABULARY = ["<S>", "</S>", "<UNK>", "the", "a", "bank", "river"]
TARGETS = {word: i for i, word in enumerate(VOCABULARY)}


def model_of(options: ModelOptions, dtype: type = np.float32) -> LanguageModel:
    rng = np.random.default_rng(5)
    arrays = dict(random_weights(options).arrays)
    arrays = {name: arrays[name] for name in options.shapes()}
    arrays[SOFTMAX_W] = rng.normal(size=(len(VOCABULARY), options.projection_dim))
    arrays[SOFTMAX_B] = rng.normal(size=len(VOCABULARY))
    return LanguageModel(options, {name: a.astype(dtype) for name, a in arrays.items()})


@cache
def shared_model() -> LanguageModel:
    """The small one, whose perplexity TensorFlow has traced."""
    return model_of(SMALL)


def batch_of(options: ModelOptions) -> Batch:
    maker = BatchMaker(Sentences.from_lists(SENTENCES), VOCABULARY, options)
    return maker.batch(np.arange(len(SENTENCES)))


def oracle_states(options: ModelOptions, direction: int) -> list[np.ndarray]:
    """Each sentence's outputs of the top layer, from which its tokens and its end are predicted."""
    oracle = Oracle(random_weights(options))
    states = []
    for sentence in SENTENCES:
        tokens = [characters_of(t, options.max_characters) for t in sentence]
        ids = [END_SENTENCE, *tokens[::-1]] if direction else [BEGIN_SENTENCE, *tokens]
        inputs = [oracle.token_vector(c) for c in ids]
        states.append(oracle.direction(direction, inputs)[-1])
    return states


SHAPES = {
    "small": SMALL,
    "one layer": replace(SMALL, n_layers=1),
    "no skip": replace(SMALL, use_skip_connections=False),
    "no projections": replace(SMALL, projection_dim=10, lstm_dim=10, activation="tanh"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_states_are_the_oracles_top_layer(shape: str) -> None:
    options = SHAPES[shape]
    batch = batch_of(options)
    states = model_of(options).states(*tensors(batch)[:3])
    for direction in (0, 1):
        want = oracle_states(options, direction)
        for row, position in zip(states[direction].numpy(), batch.positions, strict=True):
            step, sentence = divmod(int(position), len(SENTENCES))
            np.testing.assert_allclose(row, want[sentence][step], rtol=0, atol=1e-5)


def test_perplexity_by_hand() -> None:
    model = shared_model()
    w, b = (model.arrays[name].numpy().astype(np.float64) for name in (SOFTMAX_W, SOFTMAX_B))
    found = model.perplexity([batch_of(SMALL)] * 2)
    assert (found.predictions, found.unknown) == (2 * 11, 2 * 2 * 2)  # of and yes
    assert found.unknown_rate == 2 / 11
    for direction, got in enumerate((found.forward, found.backward)):
        entropies = []
        for sentence, states in zip(SENTENCES, oracle_states(SMALL, direction), strict=True):
            tokens = [*sentence[::-1], "<S>"] if direction else [*sentence, "</S>"]
            for token, state in zip(tokens, states, strict=True):
                logits = w @ state + b
                target = TARGETS.get(token, 2)
                entropies.append(np.log(np.exp(logits).sum()) - logits[target])
        assert got == pytest.approx(np.exp(np.mean(entropies)), rel=1e-5)


def test_sampling_every_word_is_the_whole_softmax() -> None:
    model, batch = shared_model(), batch_of(SMALL)
    samples, expected = draw_samples(len(VOCABULARY), 100, (1,))
    assert samples.tolist() == list(range(len(VOCABULARY)))
    states = model.states(*tensors(batch)[:3])
    loss = model.sampled_loss(states, tf.constant(batch.targets), tf.constant(samples), expected)
    found = model.perplexity([batch])
    assert np.exp(float(loss)) == pytest.approx(np.sqrt(found.forward * found.backward), rel=1e-5)


@pytest.mark.parametrize("most", [1, 3 * 4, 3 * 4 + 1, 1000], ids="{} logits".format)
def test_sampled_loss_and_gradients_are_tensorflows(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However few rows go through at once, and whether or not a target is among the samples."""
    monkeypatch.setattr("elmo_beam.elmo.training.sampled_softmax.LOGITS", most)
    rng = np.random.default_rng(9)
    w, b = tf.constant(rng.normal(size=(7, 5)) * 3), tf.constant(rng.normal(size=7))
    states, targets = tf.constant(rng.normal(size=(11, 5))), tf.constant(rng.integers(0, 7, 11))
    samples, expected = tf.constant([6, 0, 3], tf.int64), tf.constant(np.linspace(0.9, 0.1, 7))
    point = [w, b, states]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(point)
        got = sampled_loss((w, b), states, targets, samples, expected)
        columns = tf.cast(targets[:, tf.newaxis], tf.int64)
        values = samples, tf.gather(expected, columns), tf.gather(expected, samples)
        losses = tf.nn.sampled_softmax_loss(w, b, columns, states, 3, 7, sampled_values=values)
        want = tf.reduce_mean(losses)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    for own, wanted in zip(tape.gradient(got, point), tape.gradient(want, point), strict=True):
        np.testing.assert_allclose(
            tf.convert_to_tensor(own), tf.convert_to_tensor(wanted), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("most", [1, 7 * 4, 7 * 4 + 1])
def test_perplexity_in_parts_is_that_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However few rows a product with the whole vocabulary may have."""
    want = shared_model().perplexity([batch_of(SMALL)])
    monkeypatch.setattr("elmo_beam.elmo.training.language_model.LOGITS", most)
    got = model_of(SMALL).perplexity([batch_of(SMALL)])
    assert got.forward == pytest.approx(want.forward, rel=1e-6)
    assert got.backward == pytest.approx(want.backward, rel=1e-6)


def test_gradients_of_all_arrays_are_the_numerical_ones() -> None:
    """The whole loss, characters to sampled softmax, in float64."""
    model, batch = model_of(SMALL, np.float64), batch_of(SMALL)
    samples = tf.constant([0, 3, 6], tf.int64)
    expected = tf.constant(np.linspace(0.9, 0.1, len(VOCABULARY)))
    names = list(model.arrays)

    @tf.function
    def loss(*values: tf.Tensor) -> tf.Tensor:
        own = LanguageModel(SMALL, {})
        own.arrays = dict(zip(names, values, strict=True))
        characters, tokens, positions, _ = tensors(batch)
        states = own.states(characters, tokens, positions, dropout=0.3, seed=7)
        return own.sampled_loss(states, tf.constant(batch.targets), samples, expected)

    point = [tf.constant(model.arrays[name].numpy()) for name in names]
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = loss(*point)
    gradients = tape.gradient(value, point)
    rng = np.random.default_rng(8)
    for i, name in enumerate(names):
        for _ in range(3):  # along three random directions
            direction = rng.normal(size=point[i].shape)
            direction /= np.linalg.norm(direction)
            nearby = [
                float(loss(*point[:i], point[i] + sign * 1e-6 * direction, *point[i + 1 :]))
                for sign in (-1, 1)
            ]
            numeric = (nearby[1] - nearby[0]) / 2e-6
            exact = float(tf.reduce_sum(tf.convert_to_tensor(gradients[i]) * direction))
            assert exact != 0, name
            assert exact == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def test_products_in_bfloat16_change_losses_and_gradients_little() -> None:
    """They are emulated where the processor lacks them; weights and gradients stay float32."""
    samples, expected = draw_samples(len(VOCABULARY), 3, (1,))

    def found(dtype: tf.DType | None) -> tuple[float, dict[str, np.ndarray]]:
        model = model_of(SMALL)
        model = LanguageModel(SMALL, {n: a.numpy() for n, a in model.arrays.items()}, dtype)
        *inputs, targets = tensors(batch_of(SMALL))
        with tf.GradientTape() as tape:
            loss = model.sampled_loss(model.states(*inputs), targets, samples, expected)
        gradients = tape.gradient(loss, model.arrays)
        return float(loss), {n: tf.convert_to_tensor(g).numpy() for n, g in gradients.items()}

    want, exact = found(None)
    got, rounded = found(tf.bfloat16)
    assert got != want and got == pytest.approx(want, rel=0.01)
    for name, gradient in exact.items():
        assert rounded[name].dtype == np.float32
        off = np.linalg.norm(rounded[name] - gradient) / np.linalg.norm(gradient)
        assert off < 0.05, name


def test_the_sampled_loss_is_not_rounded() -> None:
    """If it were, it could be below 0 where all logits are far below the target's."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(50, 64)).astype(np.float32)
    targets, (samples, expected) = rng.integers(0, 50, 200), draw_samples(50, 50, (0,))
    given = (w, np.zeros(50, np.float32)), 0.6 * w[targets], targets, samples, expected
    losses = [float(sampled_loss(*given, dtype)) for dtype in (None, tf.bfloat16)]
    assert losses[0] == losses[1] >= 0


def test_dropout_drops_by_its_seed() -> None:
    model, batch = model_of(SMALL), batch_of(SMALL)
    characters, tokens, positions, _ = tensors(batch)

    def states(rate: float, seed: int) -> np.ndarray:
        found = model.states(characters, tokens, positions, rate, seed)
        return np.concatenate([s.numpy() for s in found])

    np.testing.assert_array_equal(states(0.5, 1), states(0.5, 1))
    assert (states(0.5, 1) != states(0.5, 2)).mean() > 0.3
    assert 0.3 < (states(0.5, 1) == 0).mean() < 0.7
    assert (states(0.0, 1) != 0).all()


def test_samples_are_drawn_as_often_as_expected() -> None:
    words, n, draws = 50, 10, 3000
    seen, wanted = np.zeros(words), np.zeros(words)
    for seed in range(draws):
        samples, expected = draw_samples(words, n, (seed,))
        assert len(samples) == n == len(set(samples.tolist()))
        assert samples.min() >= 0 and samples.max() < words
        seen[samples] += 1
        wanted += expected
    np.testing.assert_allclose(seen / draws, wanted / draws, atol=0.03)


def test_if_half_of_the_words_are_asked_for_all_are_given() -> None:
    samples, expected = draw_samples(20, 10, (1,))
    assert samples.tolist() == list(range(20)) and expected.tolist() == [1.0] * 20
    assert len(draw_samples(21, 10, (1,))[0]) == 10


def test_a_new_model_is_finite_and_of_the_options_shapes() -> None:
    arrays = initial_arrays(SMALL)
    assert {name: a.shape for name, a in arrays.items()} == SMALL.shapes()
    assert all(np.isfinite(a).all() and a.dtype == np.float32 for a in arrays.values())
    assert not arrays["char_embed"][0].any()
