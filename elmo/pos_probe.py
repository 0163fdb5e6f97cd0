"""A linear probe: how well a token's part of speech can be read off its frozen vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.training.adam import BETA_1, BETA_2, Adam

PENALTIES = (0.0, 1e-5, 1e-4, 1e-3)  # on the squares of the probe's weights
FIT_STEPS, BATCH, RATE = 4000, 512, 5e-3


class Probe:
    """Logistic regression over standardized vectors, fit by Adam in a fixed order."""

    def __init__(self, vectors: np.ndarray, tags: np.ndarray, classes: int, penalty: float) -> None:
        """Fit it. vectors: float32 [tokens, dim]; tags: int [tokens], below `classes`."""
        self._mean = vectors.mean(axis=0)
        self._scale = 1.0 / (vectors.std(axis=0) + 1e-6)
        self._w = tf.Variable(tf.zeros([vectors.shape[1], classes]))
        self._b = tf.Variable(tf.zeros([classes]))
        self._adam = Adam({"w": self._w, "b": self._b})
        rng = np.random.default_rng(0)
        epochs = -(-FIT_STEPS * BATCH // len(vectors))
        order = np.concatenate([rng.permutation(len(vectors)) for _ in range(epochs)])
        batches = order[: FIT_STEPS * BATCH].reshape(FIT_STEPS, BATCH)
        tf.function(self._fit)(self._standard(vectors), tags, batches, penalty)

    def _fit(
        self,
        vectors: tf.Tensor,
        tags: tf.Tensor,
        batches: tf.Tensor,
        penalty: float,
    ) -> None:
        for step in tf.range(1.0, FIT_STEPS + 1.0):
            chosen = batches[tf.cast(step, tf.int32) - 1]
            with tf.GradientTape() as tape:
                logits = tf.matmul(tf.gather(vectors, chosen), self._w) + self._b
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.gather(tags, chosen), logits
                )
                loss = tf.reduce_mean(losses) + penalty * tf.reduce_sum(self._w * self._w)
            gradients = tape.gradient(loss, {"w": self._w, "b": self._b})
            rate = RATE * (1.0 - step / FIT_STEPS)
            self._adam.apply(gradients, (BETA_1**step, BETA_2**step), rate)

    def accuracy(self, vectors: np.ndarray, tags: np.ndarray) -> float:
        """The share of the tokens whose tag it predicts."""
        logits = self._standard(vectors) @ self._w.numpy() + self._b.numpy()
        return float(np.mean(logits.argmax(axis=1) == tags))

    def _standard(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self._mean) * self._scale


def majority_accuracy(
    words: Sequence[str], tags: Sequence[str], test_words: Sequence[str], test_tags: Sequence[str]
) -> float:
    """Of predicting each word's most frequent tag; for an unseen word, the most frequent of all."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for word, tag in zip(words, tags, strict=True):
        seen[word][tag] += 1
    most = Counter(tags).most_common(1)[0][0]
    most_frequent = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    right = [most_frequent.get(w, most) == t for w, t in zip(test_words, test_tags, strict=True)]
    return float(np.mean(right))
