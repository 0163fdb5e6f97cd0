"""Steps of training: Adam over both language models, and a running average of what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elmo.backend import tf
from elmo.options import Options
from elmo.training.batches import Batch
from elmo.training.language_model import (
    BATCH_SIGNATURE,
    SEED,
    Arrays,
    LanguageModel,
    draw_samples,
    tensors,
)
from elmo.training.recipe import Recipe

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
WARM_UP_TOKENS, WARM_UP_PART = 1_500_000, 0.1  # the rate's rise: so many tokens, at most this part
AVERAGED_STEPS = 1000  # over which the weights are averaged


@dataclass(frozen=True)
class Clock:
    """How far a training is. `tokens`: predictions made in one direction; `batch`: in its epoch."""

    step: int = 0
    tokens: int = 0
    epoch: int = 0
    batch: int = 0


def learning_rate(peak: float, before: int, after: int, total: int) -> float:
    """A short rise to the peak, then a straight fall to 0 when `total` tokens are seen.

    before, after: tokens seen before and after the step, so that neither the first nor the last
    step has rate 0.
    """
    rise = after / min(WARM_UP_TOKENS, WARM_UP_PART * total)
    return peak * min(rise, 1.0) * max(1.0 - before / total, 0.0)


class Trainer:
    """A model in training, with Adam's moments and the average of its weights.

    Every random choice is a function of the step, so a training that goes on from a checkpoint goes
    on as if it had not been stopped.
    """

    def __init__(self, options: Options, arrays: Arrays, recipe: Recipe) -> None:
        self.model = LanguageModel(options, arrays)
        self.average = LanguageModel(options, arrays)
        self._recipe = recipe
        self._moments = [
            {name: tf.Variable(np.zeros_like(array)) for name, array in arrays.items()}
            for _ in range(2)
        ]
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
        """One step, numbered from 1; the batch's loss in nats a prediction, before the step.

        It is not finite where the gradients are not: then the weights are lost.
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
        """Every array that the training goes on from."""
        return {
            f"{group}:{name}": variable.numpy()
            for group, variables in self._groups().items()
            for name, variable in variables.items()
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what `checkpoint` gave; KeyError or ValueError where it is another model's."""
        for group, variables in self._groups().items():
            for name, variable in variables.items():
                variable.assign(arrays[f"{group}:{name}"])

    def _groups(self) -> dict[str, dict[str, tf.Variable]]:
        return {
            "weights": self.model.arrays,
            "average": self.average.arrays,
            "first_moment": self._moments[0],
            "second_moment": self._moments[1],
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
        for name, gradient in zip(arrays, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=arrays[name].handle,
                m=self._moments[0][name].handle,
                v=self._moments[1][name].handle,
                beta1_power=beta_1_power,
                beta2_power=beta_2_power,
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )
            average = self.average.arrays[name]
            average.assign_sub((1.0 - keep) * (average - arrays[name]))
        return loss + 0.0 * norm
