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

    def __init__(self, options: ModelOptions, arrays: Arrays) -> None:
        super().__init__()
        self.options = options
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
        drop = _Dropout(dropout, seed)
        table = encode_tokens(self.options, self.arrays, None, characters)
        states = []
        for direction in (0, 1):
            x = tf.gather(table, tokens[direction])
            top = lstm_stack(self.options, self.arrays, direction, x, True, drop)[-1]
            flat = tf.reshape(top, [-1, self.options.projection_dim])
            states.append(drop(tf.gather(flat, positions)))
        return states

    def sampled_loss(
        self,
        states: list[tf.Tensor],
        targets: tf.Tensor,
        samples: tf.Tensor,
        expected: tf.Tensor,
    ) -> tf.Tensor:
        """Mean over both directions of the cross entropy against sampled words, in nats.

        samples: int64 [n], distinct words; expected: float [words], how often each is among them.
        """
        targets = tf.cast(tf.reshape(targets, [-1, 1]), tf.int64)
        losses = tf.nn.sampled_softmax_loss(
            self.arrays[SOFTMAX_W],
            self.arrays[SOFTMAX_B],
            targets,
            tf.concat(states, axis=0),
            num_sampled=tf.size(samples),
            num_classes=self.words,
            sampled_values=(
                samples,
                tf.gather(expected, targets),
                tf.gather(expected, samples),
            ),
        )
        return tf.reduce_mean(losses)

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
        if not self._rate:
            return x
        self._calls += 1
        return tf.nn.experimental.stateless_dropout(x, self._rate, [self._seed, self._calls])


def draw_samples(words: int, n: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """`n` distinct words, frequent ones more often, and how often each word is expected among them.

    int64 [n] and float32 [words]. Words are in order of falling frequency; word k is drawn with
    probability log((k + 2) / (k + 1)) / log(words + 1) until there are n distinct ones, as in
    tf.random.log_uniform_candidate_sampler. If n is half of the words or more, all are given, each
    expected once, since drawing the last of them would take long.
    """
    if 2 * n >= words:
        return np.arange(words), np.ones(words, np.float32)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(0, np.int64)
    while True:
        more = np.exp(rng.random(2 * n + len(drawn)) * np.log(words + 1.0)).astype(np.int64) - 1
        drawn = np.concatenate([drawn, np.minimum(more, words - 1)])
        first = np.sort(np.unique(drawn, return_index=True)[1])
        if len(first) >= n:
            break
    tries = int(first[n - 1]) + 1
    k = np.arange(words)
    chance = np.log((k + 2.0) / (k + 1.0)) / np.log(words + 1.0)
    return drawn[first[:n]], (-np.expm1(tries * np.log1p(-chance))).astype(np.float32)
