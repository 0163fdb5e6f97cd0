"""Which errors mean that memory has run out, and what is said of them."""

from __future__ import annotations

import errno
import os

import numpy as np
import pyarrow as pa
import pytest

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import memory_error


def numpys() -> BaseException:
    """What NumPy raises for an array that no machine has room for."""
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 60, np.uint8)
    return caught.value


RAN_OUT = {
    "MemoryError": MemoryError(),
    "std::bad_alloc": MemoryError("std::bad_alloc"),
    "Unable to allocate": numpys(),
    "malloc of size 64 failed": pa.ArrowMemoryError("malloc of size 64 failed"),
    "OOM when allocating tensor": tf.errors.ResourceExhaustedError(
        None, None, "OOM when allocating tensor with shape[9]"
    ),
    "libx.so.2: failed to map segment": ImportError(
        "libx.so.2: failed to map segment from shared object"
    ),
    "Original error was: liby.so: failed to map": ImportError(
        "\n\nIMPORTANT: PLEASE READ THIS\n\nOriginal error was: liby.so: failed to map segment\n"
    ),
    "Cannot allocate memory": OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    "can't start new thread": RuntimeError("can't start new thread"),
    "ArrowMemoryError: realloc of size 9 failed": RuntimeError(
        "Traceback (most recent call last):\n  File x\nArrowMemoryError: realloc of size 9 failed\n"
    ),
}


@pytest.mark.parametrize("cause", RAN_OUT)
def test_an_error_for_want_of_memory_is_one_line_with_its_cause(cause: str) -> None:
    found = memory_error(RAN_OUT[cause])
    assert found is not None
    line = str(found)
    assert line.startswith("out of memory (") and cause in line and "ulimit" in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("memory must be a whole number from 1"),
        ImportError("No module named 'torch'"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("java.lang.OutOfMemoryError: Java heap space"),
        KeyError(),
    ],
)
def test_other_errors_are_none_of_these(error: BaseException) -> None:
    assert memory_error(error) is None
