"""Training steps: Adam over both language models, and a running average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.encoder.precision import why_not_bfloat16
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.training.adam import BETA_1, BETA_2, Adam
from elmo_beam.elmo.training.batches import Batch
from elmo_beam.elmo.training.language_model import (
    BATCH_SIGNATURE,
    SEED,
    Arrays,
    LanguageModel,
    tensors,
)
from elmo_beam.elmo.training.recipe import Recipe
from elmo_beam.elmo.training.sampled_softmax import draw_samples

WARM_UP_TOKENS, WARM_UP_PART = 1_500_000, 0.1  # the rate rises over these, the fewer
AVERAGED_STEPS = 1000  # over which the weights are averaged


@dataclass(frozen=True)
class Clock:
    """How far training is. tokens: predictions in one direction; batch: its number in the epoch."""

    step: int = 0
    tokens: int = 0
    epoch: int = 0
    batch: int = 0


def learning_rate(peak: float, before: int, after: int, total: int) -> float:
    """A short rise to the peak, then a straight fall to 0 when `total` tokens are seen.

    before, after: tokens seen before and after the step, so that neither the first step nor the
    last has rate 0.
    """
    rise = after / min(WARM_UP_TOKENS, WARM_UP_PART * total)
    return peak * min(rise, 1.0) * max(1.0 - before / total, 0.0)


class Trainer:
    """A model in training, with Adam's moments and the average of its weights.

    Products are taken in bfloat16 where the processor has instructions for it; the weights, and
    the average that is measured and written, are float32.

    Every random choice is a function of the step, so training resumed from a checkpoint goes on as
    if it had never stopped.
    """

    def __init__(self, options: ModelOptions, arrays: Arrays, recipe: Recipe) -> None:
        self.precision = "float32" if why_not_bfloat16() else "bfloat16"
        dtype = tf.bfloat16 if self.precision == "bfloat16" else None
        self.model = LanguageModel(options, arrays, dtype)
        self.average = LanguageModel(options, arrays)
        self._recipe = recipe
        self._adam = Adam(self.model.arrays)
        number = tf.TensorSpec([], tf.float32)
        self._train = tf.function(
            self._train_step,
            input_signature=[
                *BATCH_SIGNATURE,
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([], tf.int32),
                *[number] * 4,
            ],
        )

    def step(self, batch: Batch, number: int, rate: float) -> float:
        """Take one step, numbered from 1; the batch's loss before it, in nats per prediction.

        The loss is not finite if the gradients are not: then the weights are lost.
        """
        samples, expected = draw_samples(
            self.model.words, self._recipe.n_negative_samples_batch, (SEED, number)
        )
        keep = min(1.0 - 1.0 / AVERAGED_STEPS, (1.0 + number) / (10.0 + number))
        loss = self._train(
            *tensors(batch),
            tf.constant(samples, tf.int64),
            tf.constant(expected),
            number,
            rate,
            BETA_1**number,
            BETA_2**number,
            keep,
        )
        return float(loss)

    def checkpoint(self) -> dict[str, np.ndarray]:
        """Every array that training resumes from."""
        return {
            f"{group}:{name}": variable.numpy()
            for group, variables in self._groups().items()
            for name, variable in variables.items()
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Resume from what `checkpoint` gave; KeyError or ValueError if it is another model's."""
        for group, variables in self._groups().items():
            for name, variable in variables.items():
                variable.assign(arrays[f"{group}:{name}"])

    def _groups(self) -> dict[str, dict[str, tf.Variable]]:
        return {
            "weights": self.model.arrays,
            "average": self.average.arrays,
            "first_moment": self._adam.first,
            "second_moment": self._adam.second,
        }

    def _train_step(
        self,
        characters: tf.Tensor,
        tokens: tf.Tensor,
        positions: tf.Tensor,
        targets: tf.Tensor,
        samples: tf.Tensor,
        expected: tf.Tensor,
        number: tf.Tensor,
        rate: tf.Tensor,
        beta_1_power: tf.Tensor,
        beta_2_power: tf.Tensor,
        keep: tf.Tensor,
    ) -> tf.Tensor:
        arrays = self.model.arrays
        with tf.GradientTape() as tape:
            states = self.model.states(characters, tokens, positions, self._recipe.dropout, number)
            loss = self.model.sampled_loss(states, targets, samples, expected)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, list(arrays.values()))]
        gradients, norm = tf.clip_by_global_norm(gradients, self._recipe.all_clip_norm_val)
        named = dict(zip(arrays, gradients, strict=True))
        self._adam.apply(named, (beta_1_power, beta_2_power), rate)
        for name, average in self.average.arrays.items():
            average.assign_sub((1.0 - keep) * (average - arrays[name]))
        return tf.where(tf.math.is_finite(norm), loss, float("nan"))
