"""The linear probe and its baseline."""

from __future__ import annotations

import numpy as np

from elmo_beam.elmo.pos_probe import Probe, majority_accuracy

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 8)) * 5


def drawn(n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around three centres, on very different scales; and the centre of each."""
    tags = RNG.integers(0, 3, n).astype(np.int32)
    vectors = CENTRES[tags] + RNG.normal(size=(n, 8)) * noise
    return (vectors * np.logspace(-3, 3, 8) + 100).astype(np.float32), tags


def test_what_a_line_can_separate_is_predicted_and_noise_is_not() -> None:
    probe = Probe(*drawn(2000, 0.5), classes=3, penalty=0.0)
    assert probe.accuracy(*drawn(500, 0.5)) > 0.98
    vectors, tags = drawn(500, 0.5)
    assert 0.2 < probe.accuracy(vectors, RNG.permutation(tags)) < 0.5


def test_the_same_data_give_the_same_probe() -> None:
    data, test = drawn(600, 5.0), drawn(500, 5.0)
    accuracies = {Probe(*data, classes=3, penalty=1e-4).accuracy(*test) for _ in range(2)}
    assert len(accuracies) == 1


def test_majority_by_hand() -> None:
    words, tags = ["a", "a", "a", "run", "run"], ["D", "D", "N", "V", "V"]
    test_words, test_tags = ["a", "a", "run", "new", "other"], ["D", "N", "V", "D", "V"]
    # a is D: one of two is right. run is V: right. Unseen words are D, the first of the commonest.
    assert majority_accuracy(words, tags, test_words, test_tags) == 3 / 5
