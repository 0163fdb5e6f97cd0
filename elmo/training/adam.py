"""Adam by TensorFlow's own kernel, for training loops that keep their moments in checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elmo_beam.elmo.backend import tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """The moments of some variables, by name, and the step that uses them."""

    def __init__(self, variables: Mapping[str, tf.Variable]) -> None:
        self._variables = variables
        self.first = {name: tf.Variable(tf.zeros_like(v)) for name, v in variables.items()}
        self.second = {name: tf.Variable(tf.zeros_like(v)) for name, v in variables.items()}

    def apply(self, gradients: Mapping[str, tf.Tensor], powers: tuple[Any, Any], rate: Any) -> None:
        """One step. powers: BETA_1 and BETA_2 to the step's number; rate: the learning rate."""
        for name, variable in self._variables.items():
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self.first[name].handle,
                v=self.second[name].handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradients[name],
            )
