"""TensorFlow, as every module of this package imports it.

In a process that is ours it starts quietly and multiplies exactly; in a caller's process it is
imported as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from elmo_beam.elmo.process import is_claimed, quiet_stderr


def set_up() -> None:
    """Change what holds for the whole process, which must be ours."""
    tf.get_logger().setLevel("ERROR")
    # TF32 rounds matrix products to 10 bits, so vectors would depend on the machine.
    tf.config.experimental.enable_tensor_float_32_execution(False)


@contextmanager
def without_keras() -> Iterator[None]:
    """Importing TensorFlow imports Keras too, half of the time, which no process of ours needs.

    TensorFlow goes on without it, and `tf.keras` still finds it when it is first used.
    """
    hidden = is_claimed() and "keras" not in sys.modules
    if hidden:
        sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["keras"]


with quiet_stderr(), without_keras():
    import tensorflow as tf

    if is_claimed():
        set_up()
        tf.zeros([])  # the first operation looks for devices, and reports what it finds

__all__ = ["set_up", "tf"]
