"""A linear probe: how much of a token's part of speech can be read off its frozen vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from elmo.backend import tf

PENALTIES = (0.0, 1e-5, 1e-4)  # on the squares of the probe's weights
EPOCHS, BATCH, RATE = 12, 512, 5e-3


class Probe:
    """Logistic regression over standardized vectors."""

    def __init__(self, vectors: np.ndarray, tags: np.ndarray, classes: int, penalty: float) -> None:
        """Fit it. vectors: float32 [tokens, dim]; tags: int [tokens], below `classes`."""
        keras = tf.keras
        keras.utils.set_random_seed(0)
        self._mean = vectors.mean(axis=0)
        self._scale = 1.0 / (vectors.std(axis=0) + 1e-6)
        regularizer = keras.regularizers.L2(penalty) if penalty else None
        self._model = keras.Sequential(
            [
                keras.Input([vectors.shape[1]]),
                keras.layers.Dense(classes, kernel_regularizer=regularizer),
            ]
        )
        steps = EPOCHS * -(-len(vectors) // BATCH)
        rate = keras.optimizers.schedules.PolynomialDecay(RATE, steps, 0.0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile(keras.optimizers.Adam(rate), loss)
        self._model.fit(self._standard(vectors), tags, BATCH, EPOCHS, verbose=0)

    def accuracy(self, vectors: np.ndarray, tags: np.ndarray) -> float:
        """The part of the tokens whose tag it tells."""
        logits = self._model.predict(self._standard(vectors), batch_size=1 << 14, verbose=0)
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
