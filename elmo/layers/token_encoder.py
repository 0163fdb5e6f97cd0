"""The token encoder: character and word ids to context-free token vectors.

The arithmetic is that of allenai/bilm-tf (`bilm/model.py`), from the paper "Deep contextualized
word representations" (Peters et al., 2018): convolutions over characters, a maximum over positions,
highway layers and a projection. ELMoForManyLangs puts a word's own vector before its characters'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights

Tensors = Mapping[str, Any]  # tensors or variables, by their names in the published layout


class TokenEncoder(tf.Module):
    """The token encoder of one model, traced once."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.options = weights.options
        self.arrays = {
            name: tf.constant(array)
            for name, array in weights.arrays.items()
            if name.startswith(("embedding", "char_embed", "CNN"))
        }
        signature = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)]
        # Without autograph, which leaves files behind when the process is killed.
        self.run = tf.function(self._run, input_signature=signature, autograph=False)

    def _run(self, words: tf.Tensor, characters: tf.Tensor) -> tf.Tensor:
        return encode_tokens(self.options, self.arrays, words, characters)


def encode_tokens(
    options: ModelOptions, tensors: Tensors, words: tf.Tensor | None, characters: tf.Tensor | None
) -> tf.Tensor:
    """Ids, int32 [tokens] and int32 [tokens, characters], to float [tokens, projection_dim].

    Those that the model has no table for are not looked at. The rows of characters are those of
    `_characters`.
    """
    parts = [tf.gather(tensors["embedding"], words)] if options.n_words else []
    if options.filters:
        parts.append(_characters(options, tensors, characters))
    vectors = tf.concat(parts, axis=1)
    return (
        _affine(tensors, "CNN_proj/{}_proj", vectors) if options.has_token_projection else vectors
    )


def _characters(options: ModelOptions, tensors: Tensors, ids: tf.Tensor) -> tf.Tensor:
    """int32 [tokens, characters] to float [tokens, n_filters].

    A row may be shorter than `max_characters` if it is long enough that every filter sees one
    window of padding only: after a word's end all windows are alike, so the maximum over them is
    the same however many there are.
    """
    characters = tf.gather(tensors["char_embed"], ids)
    activation = tf.nn.relu if options.activation == "relu" else tf.nn.tanh
    pooled = []
    for i in range(len(options.filters)):
        windows = tf.nn.conv1d(characters, tensors[f"CNN/W_cnn_{i}"][0], 1, "VALID")
        # Bias and activation are monotone, so they can follow the maximum.
        highest = tf.reduce_max(windows, axis=1)
        pooled.append(activation(highest + tensors[f"CNN/b_cnn_{i}"]))
    vectors = tf.concat(pooled, axis=1)
    for i in range(options.n_highway):
        carry = tf.nn.sigmoid(_affine(tensors, f"CNN_high_{i}/{{}}_carry", vectors))
        transform = tf.nn.relu(_affine(tensors, f"CNN_high_{i}/{{}}_transform", vectors))
        vectors = carry * transform + (1.0 - carry) * vectors
    return vectors


def _affine(tensors: Tensors, name: str, x: tf.Tensor) -> tf.Tensor:
    return tf.matmul(x, tensors[name.format("W")]) + tensors[name.format("b")]
