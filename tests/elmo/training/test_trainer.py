"""Steps of training: they learn, and go on from a checkpoint as if they had not stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elmo.sentences import Sentences
from elmo.training.batches import Batch, BatchMaker
from elmo.training.language_model import initial_arrays, initial_softmax
from elmo.training.recipe import Recipe
from elmo.training.trainer import Trainer, learning_rate
from tests.command import SMALL

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "ran", "off"], ["a", "cat", "ran"]] * 4
VOCABULARY = ["<S>", "</S>", "<UNK>", "the", "cat", "ran", "a", "dog", "off"]
RECIPE = Recipe(dropout=0.2, n_negative_samples_batch=4)


def new_trainer(recipe: Recipe = RECIPE) -> Trainer:
    arrays = {**initial_arrays(SMALL), **initial_softmax(len(VOCABULARY), SMALL)}
    return Trainer(SMALL, arrays, recipe)


@pytest.fixture(scope="module")
def batch() -> Batch:
    maker = BatchMaker(Sentences.from_lists(SENTENCES), VOCABULARY, SMALL)
    return maker.batch(np.arange(len(SENTENCES)))


def test_it_learns_and_the_average_follows(batch: Batch) -> None:
    trainer = new_trainer()
    before = trainer.model.perplexity([batch])
    for number in range(1, 201):
        trainer.step(batch, number, 0.02)
    after, average = (m.perplexity([batch]) for m in (trainer.model, trainer.average))
    for direction in (0, 1):
        assert after[direction] < before[direction] / 2
        assert after[direction] * 0.8 < average[direction] < before[direction] / 2


def test_from_a_checkpoint_it_goes_on_as_if_unbroken(batch: Batch) -> None:
    unbroken, begun, resumed = new_trainer(), new_trainer(), new_trainer()
    for number in range(1, 7):
        unbroken.step(batch, number, 0.01)
    for number in range(1, 4):
        begun.step(batch, number, 0.01)
    kept = begun.checkpoint()
    resumed.restore(kept)
    for number in range(4, 7):
        resumed.step(batch, number, 0.01)
    for name, want in unbroken.checkpoint().items():
        np.testing.assert_allclose(
            resumed.checkpoint()[name], want, rtol=1e-4, atol=1e-6, err_msg=name
        )
        moved = np.abs(kept[name] - want).max()
        assert moved > 0, f"{name} is no longer trained"


def test_the_gradients_norm_is_held(batch: Batch) -> None:
    """Adam's first moment after one step is a tenth of the gradient."""
    trainer = new_trainer(replace(RECIPE, all_clip_norm_val=0.01))
    trainer.step(batch, 1, 0.01)
    moments = [a for n, a in trainer.checkpoint().items() if n.startswith("first_moment:")]
    norm = np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in moments))
    assert norm == pytest.approx(0.1 * 0.01, rel=1e-4)


def test_the_averages_share() -> None:
    """After step n of few, the average keeps (1 + n) / (10 + n) of itself."""
    trainer = new_trainer()
    maker = BatchMaker(Sentences.from_lists(SENTENCES), VOCABULARY, SMALL)
    first = trainer.checkpoint()
    trainer.step(maker.batch(np.arange(3)), 1, 0.05)
    after = trainer.checkpoint()
    for name in SMALL.shapes():
        want = first[f"average:{name}"] * (2 / 11) + after[f"weights:{name}"] * (9 / 11)
        np.testing.assert_allclose(after[f"average:{name}"], want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("tokens", "want"),
    [
        (0, 0.0),
        (750_000, 0.5 * (1 - 0.0075)),
        (1_500_000, 1 - 0.015),
        (50_000_000, 0.5),
        (100_000_000, 0.0),
        (100_000_500, 0.0),
    ],
)
def test_the_rate_rises_and_falls(tokens: int, want: float) -> None:
    assert learning_rate(2.0, tokens, 100_000_000) == pytest.approx(2.0 * want)


def test_a_short_training_rises_for_a_tenth() -> None:
    assert learning_rate(1.0, 50, 1000) == pytest.approx(0.5 * 0.95)
    assert learning_rate(1.0, 100, 1000) == pytest.approx(0.9)
