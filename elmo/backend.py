"""TensorFlow, imported without the lines its C++ start-up writes to stderr."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: the log level variables miss TensorFlow's first lines."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


with silent_stderr():
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    # GPUs would round matrix products to 10 bits, and vectors would depend on the machine.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.zeros([])  # the first operation looks for devices, and says so

__all__ = ["silent_stderr", "tf"]
