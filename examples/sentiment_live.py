"""Sentiment with ELMo as a layer: the mix of its layers is trained with the classifier.

python examples/sentiment_live.py --train stsa.binary.train --dev stsa.binary.dev \
        --test stsa.binary.test
"""

from __future__ import annotations

import argparse

import keras
import numpy as np
import tensorflow as tf
from sst import Reviews, arguments, bag_of_words, draw

from elmo_beam import ElmoLayer

BATCH, EPOCHS = 64, 8
RATE, DROPOUT = 2e-3, 0.3


def dataset(own: Reviews, shuffled: bool) -> tf.data.Dataset:
    """Batches of (sentences, labels)."""
    data = tf.data.Dataset.from_tensor_slices((own.sentences, own.labels))
    if shuffled:
        data = data.shuffle(len(own.labels), seed=0)
    return data.batch(BATCH).prefetch(1)


def classifier(model: str) -> keras.Model:
    """Sentences to the probability of a good review."""
    sentences = keras.Input((), dtype="string")
    vectors = ElmoLayer(model, trainable="mix", name="elmo")(sentences)
    inputs = keras.layers.Dropout(DROPOUT)(keras.layers.LayerNormalization()(vectors))
    read = keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True))(inputs)
    pooled = keras.layers.Dropout(DROPOUT)(keras.layers.GlobalAveragePooling1D()(read))
    return keras.Model(sentences, keras.layers.Dense(1, activation="sigmoid")(pooled))


def main() -> None:
    """Print the accuracies, and draw each layer's share in the mix."""
    args, reviews = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    keras.utils.set_random_seed(0)
    model = classifier(args.model)
    model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy", metrics=["accuracy"])
    best = keras.callbacks.EarlyStopping("val_accuracy", patience=3, restore_best_weights=True)
    model.fit(
        dataset(reviews["train"], True),
        validation_data=dataset(reviews["dev"], False),
        epochs=EPOCHS,
        callbacks=[best],
        verbose=2,
    )
    _, accuracy = model.evaluate(dataset(reviews["test"], False), verbose=0)
    print(f"{'bag of words':<16}{bag_of_words(reviews):8.1%}")
    print(f"{'ELMo layer':<16}{accuracy:8.1%}")
    raw = np.asarray(next(w for w in model.get_layer("elmo").weights if "weights" in w.name))
    parts = np.exp(raw) / np.exp(raw).sum()
    names = ["token layer", *(f"LSTM layer {i}" for i in range(1, len(parts)))]
    shares = {name: float(part) for name, part in zip(names, parts, strict=True)}
    draw(args.picture, "Each layer's share in the trained mix", shares, 0.0)
    print(args.picture)


if __name__ == "__main__":
    main()
