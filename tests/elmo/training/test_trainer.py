"""Training steps: the model learns, and resumes from a checkpoint as if it had never stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.training.batches import Batch, BatchMaker
from elmo_beam.elmo.training.language_model import (
    initial_arrays,
    initial_softmax,
    tensors,
)
from elmo_beam.elmo.training.recipe import Recipe
from elmo_beam.elmo.training.sampled_softmax import draw_samples
from elmo_beam.elmo.training.trainer import Trainer, learning_rate
from tests.helpers.command import SMALL

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "ran", "off"], ["a", "cat", "ran"]] * 4
VOCABULARY = ["<S>", "</S>", "<UNK>", "the", "cat", "ran", "a", "dog", "off"]
RECIPE = Recipe(dropout=0.2, n_negative_samples_batch=4)


def new_trainer(recipe: Recipe = RECIPE) -> Trainer:
    arrays = {**initial_arrays(SMALL), **initial_softmax(len(VOCABULARY), SMALL)}
    return Trainer(SMALL, arrays, recipe)


@pytest.fixture(scope="module")
def traced() -> tuple[Trainer, dict[str, np.ndarray]]:
    """A trainer, since TensorFlow takes seconds to trace a step, and what it starts from."""
    trainer = new_trainer()
    return trainer, {name: array.copy() for name, array in trainer.checkpoint().items()}


@pytest.fixture
def trainer(traced: tuple[Trainer, dict[str, np.ndarray]]) -> Trainer:
    """A trainer at its start."""
    trainer, start = traced
    trainer.restore(start)
    return trainer


@pytest.fixture(scope="module")
def batch() -> Batch:
    maker = BatchMaker(Sentences.from_lists(SENTENCES), VOCABULARY, SMALL)
    return maker.batch(np.arange(len(SENTENCES)))


def test_it_learns_and_the_average_follows(trainer: Trainer, batch: Batch) -> None:
    before = trainer.model.perplexity([batch])
    for number in range(1, 201):
        trainer.step(batch, number, 0.02)
    after, average = (m.perplexity([batch]) for m in (trainer.model, trainer.average))
    for direction in ("forward", "backward"):
        first, last, averaged = (getattr(p, direction) for p in (before, after, average))
        assert last < first / 2
        assert last * 0.8 < averaged < first / 2


def test_it_resumes_from_a_checkpoint_as_if_unbroken(trainer: Trainer, batch: Batch) -> None:
    for number in range(1, 4):
        trainer.step(batch, number, 0.01)
    kept = {name: array.copy() for name, array in trainer.checkpoint().items()}
    resumed = new_trainer()
    resumed.restore(kept)
    for number in range(4, 7):
        trainer.step(batch, number, 0.01)
        resumed.step(batch, number, 0.01)
    for name, want in trainer.checkpoint().items():
        np.testing.assert_allclose(
            resumed.checkpoint()[name], want, rtol=1e-4, atol=1e-6, err_msg=name
        )
        moved = np.abs(kept[name] - want).max()
        assert moved > 0, f"{name} is no longer trained"


def test_the_gradients_norm_is_clipped(batch: Batch) -> None:
    """Adam's first moment after one step is a tenth of the gradient."""
    trainer = new_trainer(replace(RECIPE, all_clip_norm_val=0.01))
    trainer.step(batch, 1, 0.01)
    moments = [a for n, a in trainer.checkpoint().items() if n.startswith("first_moment:")]
    norm = np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in moments))
    assert norm == pytest.approx(0.1 * 0.01, rel=1e-4)


def test_the_averages_share(trainer: Trainer) -> None:
    """After step n of few, the average keeps (1 + n) / (10 + n) of itself."""
    maker = BatchMaker(Sentences.from_lists(SENTENCES), VOCABULARY, SMALL)
    first = trainer.checkpoint()
    trainer.step(maker.batch(np.arange(3)), 1, 0.05)
    after = trainer.checkpoint()
    for name in SMALL.shapes():
        want = first[f"average:{name}"] * (2 / 11) + after[f"weights:{name}"] * (9 / 11)
        np.testing.assert_allclose(after[f"average:{name}"], want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        (0, 5000, 0.005 / 1.5),
        (745_000, 750_000, 0.5 * (1 - 0.00745)),
        (1_500_000, 1_505_000, 1 - 0.015),
        (50_000_000, 50_005_000, 0.5),
        (99_995_000, 100_000_500, 0.00005),
        (100_000_500, 100_005_000, 0.0),
    ],
)
def test_the_rate_rises_and_falls(before: int, after: int, want: float) -> None:
    assert learning_rate(2.0, before, after, 100_000_000) == pytest.approx(2.0 * want)


def test_a_short_training_rises_for_a_tenth_and_one_step_is_one() -> None:
    assert learning_rate(1.0, 40, 50, 1000) == pytest.approx(0.5 * 0.96)
    assert learning_rate(1.0, 100, 110, 1000) == pytest.approx(0.9)
    assert learning_rate(1.0, 0, 1000, 1000) == 1.0


def test_gradients_that_are_not_finite_are_reported(trainer: Trainer, batch: Batch) -> None:
    """The loss before the step may be finite all the same."""
    w = trainer.model.arrays["softmax/W"]
    w.assign(w * 1e25)  # the square is too large for float32
    states = trainer.model.states(*tensors(batch)[:3])
    samples, expected = draw_samples(len(VOCABULARY), 9, (0,))
    loss = trainer.model.sampled_loss(states, batch.targets, tf.constant(samples), expected)
    assert np.isfinite(float(loss))
    assert not np.isfinite(trainer.step(batch, 1, 0.01))
