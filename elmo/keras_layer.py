"""ELMo as a Keras layer: strings in, vectors out; frozen, or trained in part or in full."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from elmo_beam.elmo.arguments import check_bool, check_choice, path_text
from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, StrPath, read_weights
from elmo_beam.elmo.layers.padded_lstm import lstm_stack
from elmo_beam.elmo.layers.string_ids import StringIds
from elmo_beam.elmo.layers.token_encoder import Tensors, encode_tokens
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.model.outputs import (
    SENTENCE_OUTPUT,
    TOKEN_OUTPUT,
    checked_outputs,
    layer_of,
    output_dim,
)
from elmo_beam.elmo.model.token_ids import NO_LEXICON, Lexicon
from elmo_beam.elmo.model.weights import MIX_SCALING, MIX_WEIGHTS, expected_shapes

TRAINABLE = ("mix", "all", False)
LEXICON_FILE = "lexicon.json"


@keras.saving.register_keras_serializable("elmo_beam")
class ElmoLayer(keras.layers.Layer):
    """Vectors of sentences, the same as the encoder's.

    Takes strings: [batch], each a sentence of tokens separated by spaces, or [batch, length],
    tokens padded with "" after a sentence's end. Gives float32 [batch, length, dim] with a mask of
    the real tokens, zero at padding; for output `default` [batch, dim].
    """

    def __init__(
        self,
        model: StrPath = DEFAULT_MODEL,
        output: str = "elmo",
        trainable: str | bool = "mix",
        options: dict[str, Any] | None = None,
        trust_model: bool = False,
        **kwargs: Any,
    ) -> None:
        """Read the weights and make them the layer's own.

        Args:
            model: a handle, as for `load_encoder`; the model that ships inside by default.
            output: one of the model's outputs.
            trainable: "mix" (each layer's share in `elmo`, and its scale), "all" (the biLM too) or
                False.
            options: for Keras, which rebuilds a saved layer from them and then loads its weights,
                so that the model itself is no longer needed.
            trust_model: as for `load_encoder`; it is not saved.
            kwargs: those of every Keras layer, such as `name`.

        Raises:
            UserError: if the model cannot be read.
            ArgumentError: for a wrong argument.
        """
        check_choice("trainable", trainable, TRAINABLE)
        check_bool("trust_model", trust_model)
        super().__init__(trainable=bool(trainable), **kwargs)
        self.model = path_text("model", model)
        self.output_name, self.trains = output, trainable
        self.options, arrays, lexicon = _read(self.model, options, trust_model)
        self._set_lexicon(lexicon)
        checked_outputs(self.options, [output], "output")
        self.supports_masking = True
        self.arrays = {
            name: self.add_weight(
                name=name.replace("/", "."),
                shape=shape,
                initializer=_constant(arrays[name]) if name in arrays else "zeros",
                trainable=trainable == "all" or (trainable == "mix" and name in _MIX),
            )
            for name, shape in expected_shapes(self.options).items()
        }

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The vectors; ArgumentError for what is not a tensor of strings of a shape as above.

        Here, because Keras makes many lines of an error in `call`.
        """
        _check_strings(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The vectors. In training, the LSTMs use their own, faster backward pass."""
        tokens = _padded(tf.convert_to_tensor(inputs))
        mask = _mask_of(tokens)
        tensors = {name: tf.convert_to_tensor(array) for name, array in self.arrays.items()}
        distinct, rows = tf.unique(tf.reshape(tokens, [-1]))
        table = self._token_vectors(tensors, distinct)
        # The tokens around a sentence come first.
        rows = tf.transpose(tf.reshape(rows, tf.shape(tokens))) + 2
        vectors, layers = _bilm(self.options, tensors, table, rows, mask, bool(training))
        real = tf.cast(mask, vectors.dtype)[..., tf.newaxis]
        if self.output_name == TOKEN_OUTPUT:
            return vectors * real
        if self.output_name.startswith("lstm_outputs"):
            return layers[layer_of(self.output_name)] * real
        levels = [tf.concat([vectors, vectors], axis=-1), *layers]
        shares = tf.unstack(tf.nn.softmax(tensors[MIX_WEIGHTS]), len(levels))
        mixed = tf.add_n([share * level for share, level in zip(shares, levels, strict=True)])
        elmo = tensors[MIX_SCALING] * mixed * real
        if self.output_name != SENTENCE_OUTPUT:
            return elmo
        return tf.math.divide_no_nan(tf.reduce_sum(elmo, 1), tf.reduce_sum(real, 1))

    def _token_vectors(self, tensors: Tensors, tokens: tf.Tensor) -> tf.Tensor:
        """Of the two tokens around a sentence, and of these: [2 + tokens, projection_dim]."""
        if self._string_ids is None:
            raise UserError(
                f"the layer was rebuilt without the lexicon of model {self.model}: load it from "
                "the file that Keras saved, or put the model back there"
            )
        pairs = zip(self._string_ids.boundaries, self._string_ids(tokens), strict=True)
        return encode_tokens(self.options, tensors, *(tf.concat(pair, axis=0) for pair in pairs))

    def compute_mask(self, inputs: tf.Tensor, previous_mask: Any = None) -> Any:
        """Bool [batch, length], true for real tokens; None for `default`."""
        if self.output_name == SENTENCE_OUTPUT or isinstance(inputs, keras.KerasTensor):
            return None
        return _mask_of(_padded(tf.convert_to_tensor(inputs)))

    def compute_output_spec(self, inputs: Any, *_: Any, **__: Any) -> Any:
        """Shape and dtype of the vectors."""
        dim = output_dim(self.options, self.output_name)
        batch, *length = inputs.shape
        if self.output_name == SENTENCE_OUTPUT:
            return keras.KerasTensor((batch, dim), self.compute_dtype)
        return keras.KerasTensor((batch, length[0] if length else None, dim), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """What the layer is rebuilt from; Keras saves its weights."""
        return {
            **super().get_config(),
            "model": self.model,
            "output": self.output_name,
            "trainable": self.trains,
            "options": self.options.to_json(),
            "frozen": bool(self.trains) and not self.trainable,
        }

    def _set_lexicon(self, lexicon: Lexicon) -> None:
        # Now, since a table must not be made inside a graph; a layer rebuilt has none yet.
        self._lexicon = lexicon
        fits = lexicon.fits(self.options)
        self._string_ids = StringIds(self.options, lexicon) if fits else None

    def save_assets(self, folder: str) -> None:
        """For Keras: the lexicon, which is neither options nor weights."""
        if self._lexicon != NO_LEXICON:
            (Path(folder) / LEXICON_FILE).write_text(json.dumps(asdict(self._lexicon)), "utf-8")

    def load_assets(self, folder: str) -> None:
        """For Keras: the lexicon that `save_assets` wrote."""
        file = Path(folder) / LEXICON_FILE
        if file.exists():
            self._set_lexicon(Lexicon(**json.loads(file.read_text("utf-8"))))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ElmoLayer:
        """The layer of a config; one that was frozen after it was built is frozen again."""
        given = {name: value for name, value in config.items() if name != "frozen"}
        layer = cls(**given)
        if config.get("frozen"):
            layer.trainable = False
        return layer


def _read(
    model: str, options: dict[str, Any] | None, trust_model: bool
) -> tuple[ModelOptions, dict[str, np.ndarray], Lexicon]:
    """A new layer's, from its model; a saved layer's options, with the rest if the model is there.

    A layer that is cloned rather than loaded starts from the model's arrays as the first one did.
    """
    if options is None:
        weights = read_weights(model, trust_model=trust_model)
        return weights.options, weights.arrays, weights.lexicon
    saved = parse_options(json.dumps(options), "the saved layer's options")
    try:
        weights = read_weights(model, options=saved)
    except UserError:
        return saved, {}, NO_LEXICON
    if weights.options != saved:
        return saved, {}, NO_LEXICON
    return saved, weights.arrays, weights.lexicon


_MIX = (MIX_WEIGHTS, MIX_SCALING)


def _constant(array: np.ndarray) -> Any:
    return lambda shape, dtype=None: tf.cast(tf.constant(array), dtype or tf.float32)


def _check_strings(inputs: Any) -> None:
    shape, dtype = getattr(inputs, "shape", None), getattr(inputs, "dtype", None)
    if shape is None or dtype is None or isinstance(inputs, tf.RaggedTensor):
        given = f"`inputs` {type(inputs).__name__}"
    elif tf.as_dtype(dtype) != tf.string:
        given = f"`inputs` of {tf.as_dtype(dtype).name}"
    elif tf.TensorShape(shape).rank not in (1, 2, None):
        given = f"`inputs` of shape {list(shape)}"
    else:
        return
    raise ArgumentError(
        f"{given} must be strings in a tensor, [batch] or [batch, length]: make it by "
        "tf.constant(elmo_beam.joined_tokens(…)) or padded_tokens"
    )


def _padded(strings: tf.Tensor) -> tf.Tensor:
    """Strings [batch] or [batch, length] to tokens [batch, length], padded with ""."""
    if strings.shape.rank == 1:
        split = tf.strings.split(strings, " ")
        tokens = tf.ragged.boolean_mask(split, tf.strings.length(split) > 0)
        return tokens.to_tensor("")
    return strings


def _mask_of(tokens: tf.Tensor) -> tf.Tensor:
    """Bool [batch, length]: what stands before the first "" of its sentence."""
    return tf.math.cumprod(tf.cast(tokens != "", tf.int32), axis=1) > 0


def _bilm(
    options: ModelOptions,
    tensors: Tensors,
    table: tf.Tensor,
    rows: tf.Tensor,
    mask: tf.Tensor,
    training: bool,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Token vectors [batch, length, projection_dim], and each layer's […, 2 × projection_dim].

    table: the vectors of tokens, those around a sentence first; rows: int32 [length, batch].
    """
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    directions = []
    for direction in (0, 1):
        own = tf.reverse_sequence(rows, lengths, 0, 1) if direction else rows
        boundary = tf.fill([1, tf.shape(rows)[1]], direction)
        tokens = tf.concat([boundary, own], axis=0)
        outputs = [y[1:] for y in lstm_stack(options, tensors, direction, table, tokens, training)]
        if direction:
            outputs = [tf.reverse_sequence(y, lengths, 0, 1) for y in outputs]
        directions.append(outputs)
    layers = [
        tf.transpose(tf.concat(pair, -1), [1, 0, 2]) for pair in zip(*directions, strict=True)
    ]
    return tf.transpose(tf.gather(table, rows), [1, 0, 2]), layers
