"""Write one ELMo of seeded random weights twice: in the published layout and as a TF-Hub module.

The published models are not available everywhere, and neither speed nor agreement depends on what a
model has learned: this one has google/elmo/3's size, format and arithmetic. In benchmarks its
module takes the place of the original, so its graph follows the original's (allenai/bilm-tf under
TF1's LSTMCell and dynamic_rnn), and nothing in it is slower.

    python scripts/random_model.py OUT_DIR [--size google|small] [--seed 1]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from elmo_beam.elmo.process import claim_process

if __name__ == "__main__":
    claim_process()  # before TensorFlow is imported

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.model.characters import BEGIN_WORD, END_WORD, PADDING, boundary_ids
from elmo_beam.elmo.model.options import FORGET_BIAS, ModelOptions, cell_name
from elmo_beam.elmo.model.weights import MIX_SCALING, MIX_WEIGHTS, Weights, checked_weights

v1 = tf.compat.v1

SIZES = {
    "google": ModelOptions(
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)),
        char_dim=16,
        activation="relu",
        n_highway=2,
        max_characters=50,
        lstm_dim=4096,
        projection_dim=512,
        n_layers=2,
        cell_clip=3.0,
        proj_clip=3.0,
        use_skip_connections=True,
    ),
    "small": ModelOptions(
        filters=((1, 4), (2, 8), (3, 16), (4, 32), (5, 64)),
        char_dim=4,
        activation="relu",
        n_highway=2,
        max_characters=50,
        lstm_dim=64,
        projection_dim=16,
        n_layers=2,
        cell_clip=3.0,
        proj_clip=3.0,
        use_skip_connections=True,
    ),
}
BIAS_SPREAD = 0.1
CARRY_BIAS = -2.0  # as bilm-tf initializes it
# At 1 the layers' outputs are about 0.3; at 4 the recurrence is chaotic, and rounding errors grow.
LSTM_PROJECTION_GAIN = 2.0


def random_weights(options: ModelOptions, seed: int) -> Weights:
    """Weights under which every layer's activations are about 1: no gate saturated or idle.

    The character table's padding row is zero and the layer mix even, because the published layout
    has no place for either, and both forms must be read as the same model.
    """
    generator = np.random.default_rng(seed)
    arrays = {}
    for name, shape in options.shapes().items():
        array = generator.standard_normal(shape, np.float32)
        if name == "char_embed":
            array[0] = 0.0
        elif len(shape) == 1:
            array *= BIAS_SPREAD
            array += CARRY_BIAS if name.endswith("b_carry") else 0.0
        else:
            gain = LSTM_PROJECTION_GAIN if name.endswith("W_P_0") else 1.0
            array *= gain / np.sqrt(np.prod(shape[:-1]))
        arrays[name] = array
    return checked_weights(options, arrays, "random weights")


def checkpoint_key(name: str) -> str:
    """The name in google/elmo's checkpoint of an array of the published layout."""
    if name in (MIX_WEIGHTS, MIX_SCALING):
        return name
    group, _, array = name.rpartition("/LSTMCell/")
    cell_arrays = {"W_0": "kernel", "B": "bias", "W_P_0": "projection/kernel"}
    return f"bilm/{group}/rnn/lstm_cell/{cell_arrays[array]}" if group else f"bilm/{name}"


def write_module(weights: Weights, folder: Path) -> None:
    """Write a module in the format of google/elmo; a folder already there is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {
            name: v1.get_variable(
                checkpoint_key(name),
                array.shape,
                initializer=v1.zeros_initializer(),
                trainable=name in (MIX_WEIGHTS, MIX_SCALING),
                use_resource=True,
            )
            for name, array in weights.arrays.items()
        }
        signatures = _signatures(weights.options, variables)
        for name, variable in variables.items():
            # Fed, because as constants they would put 374 MB into the graph.
            assign = variable.initializer
            session.run(assign, {assign.inputs[1]: weights.arrays[name]})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map=signatures)
        builder.save()
    (folder / "tfhub_module.pb").touch()


def _signatures(options: ModelOptions, variables: dict[str, tf.Variable]) -> dict[str, object]:
    text = v1.placeholder(tf.string, [None], "text")
    tokens = v1.placeholder(tf.string, [None, None], "tokens")
    lengths = v1.placeholder(tf.int32, [None], "sequence_len")
    words = tf.sparse.to_dense(v1.string_split(text, " "), default_value="")
    words_of_text = tf.reduce_sum(tf.cast(tf.not_equal(words, ""), tf.int32), 1)
    forms = {
        "default": ({"text": text}, words, words_of_text),
        "tokens": ({"tokens": tokens, "sequence_len": lengths}, tokens, lengths),
    }
    return {
        name: v1.saved_model.build_signature_def(
            {key: v1.saved_model.build_tensor_info(tensor) for key, tensor in inputs.items()},
            {
                key: v1.saved_model.build_tensor_info(tensor)
                for key, tensor in _outputs(options, variables, words, lengths).items()
            },
            name,
        )
        for name, (inputs, words, lengths) in forms.items()
    }


def _outputs(
    options: ModelOptions, variables: dict[str, tf.Variable], tokens: tf.Tensor, lengths: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The module's outputs for tokens [batch, max_length], zero after a sentence's end."""
    vectors = _sentence_vectors(options, variables, tokens, lengths)
    directions = [_lstm_layers(options, variables, d, vectors, lengths + 2) for d in (0, 1)]
    real = tf.sequence_mask(lengths, tf.shape(tokens)[1], tf.float32)[:, :, tf.newaxis]
    word_emb = vectors[:, 1:-1] * real
    layers = [tf.concat(pair, 2)[:, 1:-1] * real for pair in zip(*directions, strict=True)]
    mix = tf.nn.softmax(variables[MIX_WEIGHTS])
    mixed = mix[0] * tf.concat([word_emb, word_emb], 2)
    for k, layer in enumerate(layers):
        mixed += mix[k + 1] * layer
    elmo = variables[MIX_SCALING] * mixed
    words = tf.cast(tf.maximum(lengths, 1), tf.float32)[:, tf.newaxis]
    return {
        "word_emb": word_emb,
        **{f"lstm_outputs{k + 1}": layer for k, layer in enumerate(layers)},
        "elmo": elmo,
        "default": tf.reduce_sum(elmo, 1) / words,
    }


def _sentence_vectors(
    options: ModelOptions, variables: dict[str, tf.Variable], tokens: tf.Tensor, lengths: tf.Tensor
) -> tf.Tensor:
    """float32 [batch, max_length + 2, projection_dim]: <S>, the tokens, and </S> after the last.

    <S> and </S> go through the character encoder once per batch, not once per sentence.
    """
    ids = _character_ids(tf.reshape(tokens, [-1]), options.max_characters)
    boundaries = tf.constant(boundary_ids(options.max_characters))
    encoded = _encode_characters(options, variables, tf.concat([ids, boundaries], 0))
    width = options.projection_dim
    batch, longest = tf.unstack(tf.shape(tokens))
    inner = tf.reshape(encoded[:-2], [batch, longest, width])
    begin = tf.broadcast_to(encoded[-2], [batch, 1, width])
    framed = tf.concat([begin, inner, tf.zeros([batch, 1, width])], 1)
    at_end = tf.equal(tf.range(longest + 2), lengths[:, tf.newaxis] + 1)
    return tf.where(at_end[:, :, tf.newaxis], encoded[-1], framed)


def _character_ids(tokens: tf.Tensor, max_characters: int) -> tf.Tensor:
    """int32 [tokens, max_characters], as `elmo.model.characters.character_ids` makes them."""
    room = max_characters - 2
    codes = tf.cast(tf.io.decode_raw(tokens, tf.uint8, fixed_length=room), tf.int32) + 1
    codes = tf.pad(codes, [[0, 0], [1, 1]], constant_values=BEGIN_WORD)
    end = tf.minimum(tf.strings.length(tokens), room)[:, tf.newaxis] + 1
    position = tf.range(max_characters)
    return tf.where(position < end, codes, tf.where(position > end, PADDING, END_WORD))


def _encode_characters(
    options: ModelOptions, variables: dict[str, tf.Variable], ids: tf.Tensor
) -> tf.Tensor:
    """float32 [tokens, projection_dim]: character CNN, highway layers, projection."""
    characters = tf.nn.embedding_lookup(variables["char_embed"], ids)[tf.newaxis]
    activation = tf.nn.relu if options.activation == "relu" else tf.nn.tanh
    pooled = []
    for i in range(len(options.filters)):
        windows = tf.nn.conv2d(characters, variables[f"CNN/W_cnn_{i}"], 1, "VALID")
        # Bias and activation are monotone: after the maximum they cost 44 times less.
        highest = tf.reduce_max(windows, axis=2)[0]
        pooled.append(activation(highest + variables[f"CNN/b_cnn_{i}"]))
    x = tf.concat(pooled, 1)
    for i in range(options.n_highway):
        carry = tf.nn.sigmoid(_affine(variables, f"CNN_high_{i}/{{}}_carry", x))
        transform = tf.nn.relu(_affine(variables, f"CNN_high_{i}/{{}}_transform", x))
        x = carry * transform + (1.0 - carry) * x
    return _affine(variables, "CNN_proj/{}_proj", x) if options.has_token_projection else x


def _affine(variables: dict[str, tf.Variable], name: str, x: tf.Tensor) -> tf.Tensor:
    weights, bias = variables[name.format("W")], variables[name.format("b")]
    return tf.nn.bias_add(tf.matmul(x, weights), bias)


def _lstm_layers(
    options: ModelOptions,
    variables: dict[str, tf.Variable],
    direction: int,
    x: tf.Tensor,
    lengths: tf.Tensor,
) -> list[tf.Tensor]:
    """One direction's layers, float32 [batch, max_length + 2, projection_dim] each.

    One dynamic_rnn per layer, as in bilm-tf; the backward direction reads reversed sentences.
    """

    def turned(sequence: tf.Tensor) -> tf.Tensor:
        return tf.reverse_sequence(sequence, lengths, seq_axis=1) if direction else sequence

    x = turned(x)
    layers = []
    for layer in range(options.n_layers):
        cell = _Cell(options, variables, cell_name(direction, layer))
        out, _ = v1.nn.dynamic_rnn(cell, x, lengths, dtype=tf.float32)
        x = out + x if layer and options.use_skip_connections else out
        layers.append(turned(x))
    return layers


class _Cell:
    """TF1's LSTMCell with projection and clips, as much of it as dynamic_rnn asks for.

    Written out here, because Keras 3 has removed TensorFlow's own.
    """

    def __init__(self, options: ModelOptions, variables: dict[str, tf.Variable], name: str) -> None:
        self._options = options
        self._arrays = {key: variables.get(f"{name}/{key}") for key in ("W_0", "B", "W_P_0")}
        self.state_size = (options.lstm_dim, options.projection_dim)
        self.output_size = options.projection_dim

    def zero_state(self, batch: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, ...]:
        return tuple(tf.zeros([batch, size], dtype) for size in self.state_size)

    def __call__(
        self, x: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        c, h = state
        gates = tf.matmul(tf.concat([x, h], 1), self._arrays["W_0"])
        i, j, f, o = tf.split(tf.nn.bias_add(gates, self._arrays["B"]), 4, 1)
        c = tf.sigmoid(f + FORGET_BIAS) * c + tf.sigmoid(i) * tf.tanh(j)
        c = _clipped(c, self._options.cell_clip)
        h = tf.sigmoid(o) * tf.tanh(c)
        if self._arrays["W_P_0"] is not None:
            h = _clipped(tf.matmul(h, self._arrays["W_P_0"]), self._options.proj_clip)
        return h, (c, h)


def _clipped(x: tf.Tensor, clip: float | None) -> tf.Tensor:
    return x if clip is None else tf.clip_by_value(x, -clip, clip)


def main() -> None:
    """Write both and print the digest they share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    parser.add_argument("--size", choices=SIZES, default="google")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    weights = random_weights(SIZES[arguments.size], arguments.seed)
    for name, write in (("published", write_bilm), ("module", write_module)):
        write(weights, arguments.out_dir / name)
        print(arguments.out_dir / name)
    print(f"digest {weights.digest}")


if __name__ == "__main__":
    main()
