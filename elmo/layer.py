"""ELMo as a Keras layer: strings in, vectors out, trainable as far as one likes."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np

from elmo.backend import tf
from elmo.bilm import encode_characters
from elmo.characters import BEGIN_WORD, END_WORD, PADDING, boundary_ids
from elmo.errors import UserError
from elmo.lstm import lstm
from elmo.models import DEFAULT_MODEL, read_weights
from elmo.options import Options, parse_options
from elmo.outputs import SENTENCE_OUTPUT, TOKEN_OUTPUT, checked_outputs, layer_of, output_dim
from elmo.weights import MIX_SCALING, MIX_WEIGHTS, expected_shapes

TRAINABLE = ("mix", "all", False)


@keras.saving.register_keras_serializable("elmo_beam")
class ElmoLayer(keras.layers.Layer):
    """Vectors of sentences, the same as the encoder's.

    Takes strings: [batch], each a sentence of tokens parted by spaces, or [batch, length], tokens
    with "" as padding behind a sentence's end. Gives float32 [batch, length, dim] with a mask of
    the real tokens, zero at padding; for output `default` [batch, dim].
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        output: str = "elmo",
        trainable: str | bool = "mix",
        options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """model: a handle, as for `elmo.models.read_weights`.

        trainable: "mix" (the layers' parts in `elmo`, and its scale), "all" (the biLM too) or
        False. options: for Keras, which builds a saved layer by them and then loads its weights, so
        that the model need not be there any more.
        """
        if trainable not in TRAINABLE:
            raise UserError(f'trainable={trainable!r} is none of "mix", "all" and False')
        super().__init__(trainable=bool(trainable), **kwargs)
        self.model, self.output_name, self.trains = model, output, trainable
        self.options, arrays = _options_and_arrays(model, options)
        checked_outputs(self.options, [output])
        self.supports_masking = True
        self.arrays = {
            name: self.add_weight(
                name=name.replace("/", "."),
                shape=shape,
                initializer=_given(arrays[name]) if name in arrays else "zeros",
                trainable=trainable == "all" or (trainable == "mix" and name in _MIX),
            )
            for name, shape in expected_shapes(self.options).items()
        }

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The vectors. Training, the LSTMs take their own, quicker backward pass."""
        tokens = padded_tokens(tf.convert_to_tensor(inputs))
        mask = _mask_of(tokens)
        arrays = {name: tf.convert_to_tensor(array) for name, array in self.arrays.items()}
        vectors, layers = _bilm(self.options, arrays, tokens, mask, bool(training))
        real = tf.cast(mask, vectors.dtype)[..., tf.newaxis]
        if self.output_name == TOKEN_OUTPUT:
            return vectors * real
        if self.output_name.startswith("lstm_outputs"):
            return layers[layer_of(self.output_name)] * real
        both = [tf.concat([vectors, vectors], axis=-1), *layers]
        parts = tf.unstack(tf.nn.softmax(arrays[MIX_WEIGHTS]), len(both))
        mixed = tf.add_n([part * layer for part, layer in zip(parts, both, strict=True)])
        elmo = arrays[MIX_SCALING] * mixed * real
        if self.output_name != SENTENCE_OUTPUT:
            return elmo
        return tf.math.divide_no_nan(tf.reduce_sum(elmo, 1), tf.reduce_sum(real, 1))

    def compute_mask(self, inputs: tf.Tensor, previous_mask: Any = None) -> Any:
        """Bool [batch, length], true for real tokens; None for `default`."""
        if self.output_name == SENTENCE_OUTPUT or isinstance(inputs, keras.KerasTensor):
            return None
        return _mask_of(padded_tokens(tf.convert_to_tensor(inputs)))

    def compute_output_spec(self, inputs: Any, *_: Any, **__: Any) -> Any:
        """Shape and dtype of the vectors."""
        dim = output_dim(self.options, self.output_name)
        batch, *length = inputs.shape
        if self.output_name == SENTENCE_OUTPUT:
            return keras.KerasTensor((batch, dim), self.compute_dtype)
        return keras.KerasTensor((batch, length[0] if length else None, dim), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """What the layer is built from again; its weights are saved by Keras."""
        return {
            **super().get_config(),
            "model": self.model,
            "output": self.output_name,
            "trainable": self.trains,
            "options": self.options.to_json(),
            "frozen": bool(self.trains) and not self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ElmoLayer:
        """The layer of a config; one that was frozen after it was made is frozen again."""
        given = {name: value for name, value in config.items() if name != "frozen"}
        layer = cls(**given)
        if config.get("frozen"):
            layer.trainable = False
        return layer


def _options_and_arrays(
    model: str, options: dict[str, Any] | None
) -> tuple[Options, dict[str, np.ndarray]]:
    """A model's, or for a layer that was saved its options, and the arrays if they can be had.

    A layer that is cloned, not loaded, begins with the model's arrays as the first one did.
    """
    if options is None:
        weights = read_weights(model)
        return weights.options, weights.arrays
    saved = parse_options(json.dumps(options), "the saved layer's options")
    try:
        weights = read_weights(model, options=saved)
    except UserError:
        return saved, {}
    return saved, weights.arrays if weights.options == saved else {}


_MIX = (MIX_WEIGHTS, MIX_SCALING)


def _given(array: np.ndarray) -> Any:
    return lambda shape, dtype=None: tf.cast(tf.constant(array), dtype or tf.float32)


def padded_tokens(strings: tf.Tensor) -> tf.Tensor:
    """Strings [batch] or [batch, length] to tokens [batch, length], padded with ""."""
    if strings.shape.rank == 1:
        split = tf.strings.split(strings, " ")
        tokens = tf.ragged.boolean_mask(split, tf.strings.length(split) > 0)
        return tokens.to_tensor("")
    return strings


def _mask_of(tokens: tf.Tensor) -> tf.Tensor:
    """Bool [batch, length]: what stands before the first "" of its sentence."""
    return tf.math.cumprod(tf.cast(tokens != "", tf.int32), axis=1) > 0


def character_ids(tokens: tf.Tensor, max_characters: int) -> tf.Tensor:
    """int32 [tokens, max_characters], as `elmo.characters.character_ids` gives them."""
    cut = tf.strings.substr(tokens, 0, max_characters - 2)
    size = tf.strings.length(cut)[:, tf.newaxis]
    data = tf.cast(tf.io.decode_raw(cut, tf.uint8, fixed_length=max_characters), tf.int32)
    place = tf.range(max_characters)[tf.newaxis]
    # The bytes stand one place on, behind the begin mark.
    ids = tf.where(place <= size, tf.roll(data, 1, axis=1) + 1, PADDING)
    ids = tf.where(place == size + 1, END_WORD, ids)
    return tf.where(place == 0, BEGIN_WORD, ids)


def _bilm(
    options: Options,
    arrays: dict[str, tf.Tensor],
    tokens: tf.Tensor,
    mask: tf.Tensor,
    training: bool,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Token vectors [batch, length, projection_dim], and each layer's, both directions' joined."""
    distinct, places = tf.unique(tf.reshape(tokens, [-1]))
    ids = character_ids(distinct, options.max_characters)
    table = encode_characters(
        options, arrays, tf.concat([boundary_ids(options.max_characters), ids], axis=0)
    )
    rows = tf.transpose(tf.reshape(places, tf.shape(tokens))) + 2  # behind <S> and </S>
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    directions = []
    for direction in (0, 1):
        own = tf.reverse_sequence(rows, lengths, 0, 1) if direction else rows
        boundary = tf.fill([1, tf.shape(rows)[1]], direction)
        x = tf.gather(table, tf.concat([boundary, own], axis=0))
        outputs = []
        for layer in range(options.n_layers):
            y = lstm(options, arrays, direction, layer, x, own_gradient=training)
            x = y + x if layer > 0 and options.use_skip_connections else y
            after = x[1:]  # less the boundary's
            outputs.append(tf.reverse_sequence(after, lengths, 0, 1) if direction else after)
        directions.append(outputs)
    layers = [
        tf.transpose(tf.concat(pair, -1), [1, 0, 2]) for pair in zip(*directions, strict=True)
    ]
    return tf.transpose(tf.gather(table, rows), [1, 0, 2]), layers
