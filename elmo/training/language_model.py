"""The two language models of a biLM: one character encoder and one softmax, two stacks of LSTMs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.layers.padded_lstm import lstm_stack
from elmo_beam.elmo.layers.token_encoder import encode_tokens
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.training.batches import Batch
from elmo_beam.elmo.training.sampled_softmax import sampled_loss
from elmo_beam.elmo.training.vocabulary import UNKNOWN

SOFTMAX_W, SOFTMAX_B = "softmax/W", "softmax/b"
SEED = 0  # of every random choice, together with the step
LOGITS = 1 << 25  # at most, of one product with the whole vocabulary; one row always fits
RANKS = {"characters": 2, "tokens": 3, "positions": 1, "targets": 2}  # of a batch's arrays
BATCH_SIGNATURE = [tf.TensorSpec([None] * rank, tf.int32) for rank in RANKS.values()]
Arrays = dict[str, np.ndarray]


def initial_arrays(options: ModelOptions) -> Arrays:
    """A new biLM's float32 arrays, drawn as bilm-tf draws them (`bilm/training.py`)."""
    rng = np.random.default_rng(SEED)
    arrays: Arrays = {}
    for name, shape in options.shapes().items():
        if name == "char_embed":
            array = rng.uniform(-1.0, 1.0, shape)
            array[0] = 0.0  # the padding row, which published files leave out
        elif name.startswith("CNN/W") and options.activation == "relu":
            array = rng.uniform(-0.05, 0.05, shape)
        elif name.endswith("b_carry"):
            array = np.full(shape, -2.0)
        elif len(shape) == 1:
            array = np.zeros(shape)
        elif name.endswith(("W_0", "W_P_0")):  # Glorot's, as TensorFlow's LSTM cell has it
            limit = np.sqrt(6.0 / sum(shape))
            array = rng.uniform(-limit, limit, shape)
        else:
            array = rng.normal(0.0, np.sqrt(1.0 / np.prod(shape[:-1])), shape)
        arrays[name] = array.astype(np.float32)
    return arrays


def initial_softmax(words: int, options: ModelOptions) -> Arrays:
    """A new softmax over so many words."""
    width = options.projection_dim
    w = np.random.default_rng(SEED).standard_normal((words, width), np.float32)
    w *= np.float32(1.0 / np.sqrt(width))
    return {SOFTMAX_W: w, SOFTMAX_B: np.zeros(words, np.float32)}


@dataclass(frozen=True)
class Perplexity:
    """Of each direction, over the whole vocabulary; <UNK> counts as a word.

    predictions: in one direction; unknown: in both directions, those of <UNK>.
    """

    forward: float
    backward: float
    predictions: int
    unknown: int

    @property
    def unknown_rate(self) -> float:
        """The share of the predictions that were of <UNK>."""
        return self.unknown / (2 * self.predictions)


class LanguageModel(tf.Module):
    """A biLM and its softmax as variables, by their names in the published layout.

    A batch goes in as its arrays, which `Batch` describes.
    """

    def __init__(
        self, options: ModelOptions, arrays: Arrays, dtype: tf.DType | None = None
    ) -> None:
        """dtype: what the LSTMs' products and the sampled softmax's gradients are rounded to.

        Their sums, cells, logits and weights are float32 in any case.
        """
        super().__init__()
        self.options, self._dtype = options, dtype
        self.arrays = {name: tf.Variable(array) for name, array in arrays.items()}
        self._entropies = tf.function(self._cross_entropies, input_signature=BATCH_SIGNATURE)

    @property
    def words(self) -> int:
        """Words of the vocabulary."""
        return int(self.arrays[SOFTMAX_B].shape[0])

    def weights(self) -> Weights:
        """The biLM without its softmax."""
        arrays = {name: self.arrays[name].numpy() for name in self.options.shapes()}
        return Weights(self.options, arrays)

    def states(
        self,
        characters: tf.Tensor,
        tokens: tf.Tensor,
        positions: tf.Tensor,
        dropout: float = 0.0,
        seed: tf.Tensor | int = 0,
    ) -> list[tf.Tensor]:
        """What each direction predicts from: float [predictions, projection_dim]."""
        drop = _Dropout(dropout, seed) if dropout else None
        table = encode_tokens(self.options, self.arrays, None, characters)
        states = []
        for direction in (0, 1):
            rows = tokens[direction]
            layers = lstm_stack(
                self.options, self.arrays, direction, table, rows, True, drop, self._dtype
            )
            flat = tf.reshape(layers[-1], [-1, self.options.projection_dim])
            flat = tf.gather(flat, positions)
            states.append(drop(flat) if drop else flat)
        return states

    def sampled_loss(
        self,
        states: list[tf.Tensor],
        targets: tf.Tensor,
        samples: tf.Tensor,
        expected: tf.Tensor,
    ) -> tf.Tensor:
        """The mean over both directions of the loss that `sampled_softmax.py` describes."""
        return sampled_loss(
            (self.arrays[SOFTMAX_W], self.arrays[SOFTMAX_B]),
            tf.concat(states, axis=0),
            tf.reshape(targets, [-1]),
            samples,
            expected,
            self._dtype,
        )

    def perplexity(self, batches: Iterable[Batch]) -> Perplexity:
        """How well the models predict some batches, at least one."""
        total, predictions, unknown = np.zeros(2), 0, 0
        for batch in batches:
            total += self._entropies(*tensors(batch)).numpy()
            predictions += len(batch)
            unknown += int((batch.targets == UNKNOWN).sum())
        forward, backward = np.exp(total / predictions)
        return Perplexity(float(forward), float(backward), predictions, unknown)

    def _cross_entropies(
        self, characters: tf.Tensor, tokens: tf.Tensor, positions: tf.Tensor, targets: tf.Tensor
    ) -> tf.Tensor:
        """Each direction's, summed over the predictions, in nats: float [2]."""
        w, b = self.arrays[SOFTMAX_W], self.arrays[SOFTMAX_B]
        sums = []
        for states, wanted in zip(
            self.states(characters, tokens, positions), tf.unstack(targets, 2), strict=True
        ):
            total = tf.zeros([], w.dtype)
            rows = max(1, LOGITS // self.words)
            for start in tf.range(0, tf.size(wanted), rows):
                part = slice(start, start + rows)
                logits = tf.matmul(states[part], w, transpose_b=True) + b
                total += tf.reduce_sum(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(wanted[part], logits)
                )
            sums.append(total)
        return tf.stack(sums)


def tensors(batch: Batch) -> list[tf.Tensor]:
    """A batch's arrays in the order of BATCH_SIGNATURE."""
    return [tf.constant(getattr(batch, name)) for name in RANKS]


class _Dropout:
    """A new mask at each call; the same masks for the same seed."""

    def __init__(self, rate: float, seed: tf.Tensor | int) -> None:
        self._rate, self._seed, self._calls = rate, seed, 0

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        self._calls += 1
        return tf.nn.experimental.stateless_dropout(x, self._rate, [self._seed, self._calls])
