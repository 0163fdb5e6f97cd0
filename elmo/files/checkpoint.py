"""TensorFlow's checkpoints, read as data: no graph is loaded, and nothing of one is run."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import check_regular


class Checkpoint:
    """The variables of a checkpoint: an index, PREFIX.index, and files of data, PREFIX.data-….

    shapes: of every variable, by name.
    """

    def __init__(self, prefix: Path) -> None:
        """Read the index. Raises UserError."""
        self._prefix = prefix
        check_regular(prefix.with_name(f"{prefix.name}.index"))
        files = prefix.parent.glob(f"{prefix.name}.data-*")
        self._size = sum(check_regular(file) for file in files)
        try:
            # The reader itself: tf.train.load_checkpoint would follow a file named `checkpoint`.
            self._reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
            found = self._reader.get_variable_to_shape_map()
            self._types = self._reader.get_variable_to_dtype_map()
        except Exception as error:  # of a cut file the reader raises anything
            raise self._unreadable(cause_of(error)) from None
        self.shapes: dict[str, tuple[int, ...]] = {k: tuple(shape) for k, shape in found.items()}

    def read(self, names: Collection[str]) -> dict[str, np.ndarray]:
        """Some variables, whose shapes the caller has found to be what they should be.

        Raises UserError if one has no numbers, or the files are too small to hold them.
        """
        declared = 0
        for name in names:
            if not (self._types[name].is_floating or self._types[name].is_integer):
                raise self._unreadable(f"{name} has no numbers")
            declared += math.prod(self.shapes[name]) * self._types[name].size
        if declared > self._size:
            raise self._unreadable(f"it declares {declared:,} bytes and holds {self._size:,}")
        try:
            return {name: self._reader.get_tensor(name) for name in names}
        except Exception as error:
            raise self._unreadable(cause_of(error)) from None

    def _unreadable(self, why: str) -> UserError:
        return UserError(
            f"cannot read the variables in {self._prefix} ({why}): fetch the model again"
        )
