"""A linear probe: how much of a token's part of speech can be read off its frozen vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from elmo.backend import tf

PENALTIES = (0.0, 1e-5, 1e-4, 1e-3)  # on the squares of the probe's weights
STEPS, BATCH, RATE = 4000, 512, 5e-3


class Probe:
    """Logistic regression over standardized vectors, fit by Adam in a fixed order."""

    def __init__(self, vectors: np.ndarray, tags: np.ndarray, classes: int, penalty: float) -> None:
        """Fit it. vectors: float32 [tokens, dim]; tags: int [tokens], below `classes`."""
        self._mean = vectors.mean(axis=0)
        self._scale = 1.0 / (vectors.std(axis=0) + 1e-6)
        self._w = tf.Variable(tf.zeros([vectors.shape[1], classes]))
        self._b = tf.Variable(tf.zeros([classes]))
        moments = [[tf.Variable(tf.zeros_like(v)) for _ in range(2)] for v in (self._w, self._b)]
        rng = np.random.default_rng(0)
        epochs = -(-STEPS * BATCH // len(vectors))
        order = np.concatenate([rng.permutation(len(vectors)) for _ in range(epochs)])
        batches = order[: STEPS * BATCH].reshape(STEPS, BATCH)
        tf.function(self._fit)(self._standard(vectors), tags, batches, moments, penalty)

    def _fit(
        self,
        vectors: tf.Tensor,
        tags: tf.Tensor,
        batches: tf.Tensor,
        moments: list[list[tf.Variable]],
        penalty: float,
    ) -> None:
        for step in tf.range(1.0, STEPS + 1.0):
            chosen = batches[tf.cast(step, tf.int32) - 1]
            with tf.GradientTape() as tape:
                logits = tf.matmul(tf.gather(vectors, chosen), self._w) + self._b
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.gather(tags, chosen), logits
                )
                loss = tf.reduce_mean(losses) + penalty * tf.reduce_sum(self._w * self._w)
            gradients = tape.gradient(loss, [self._w, self._b])
            for value, (m, v), gradient in zip((self._w, self._b), moments, gradients, strict=True):
                tf.raw_ops.ResourceApplyAdam(
                    var=value.handle,
                    m=m.handle,
                    v=v.handle,
                    beta1_power=0.9**step,
                    beta2_power=0.999**step,
                    lr=RATE * (1.0 - step / STEPS),
                    beta1=0.9,
                    beta2=0.999,
                    epsilon=1e-8,
                    grad=gradient,
                )

    def accuracy(self, vectors: np.ndarray, tags: np.ndarray) -> float:
        """The part of the tokens whose tag it tells."""
        logits = self._standard(vectors) @ self._w.numpy() + self._b.numpy()
        return float(np.mean(logits.argmax(axis=1) == tags))

    def _standard(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self._mean) * self._scale


def majority_accuracy(
    words: Sequence[str], tags: Sequence[str], test_words: Sequence[str], test_tags: Sequence[str]
) -> float:
    """Of telling each word's most frequent tag; an unseen word's, the most frequent of all."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for word, tag in zip(words, tags, strict=True):
        seen[word][tag] += 1
    most = Counter(tags).most_common(1)[0][0]
    told = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    right = [told.get(w, most) == t for w, t in zip(test_words, test_tags, strict=True)]
    return float(np.mean(right))
