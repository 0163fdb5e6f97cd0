"""Whether this process is ours to set up: a command's or a worker's is, a caller's is not.

Some of what a job wants holds for a whole process: exact matrix products on a GPU, and a standard
error without TensorFlow's start-up lines. Only a process that has been claimed is changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
_claimed = False
_visible_stderr = STDERR


def claim_process() -> None:
    """Declare that this process runs nothing but this program. Imports nothing."""
    global _claimed
    _claimed = True
    # Users see one line per event, and those lines are ours.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if backend := sys.modules.get("elmo_beam.elmo.backend"):  # it looked when it was imported
        backend.set_up()


def is_claimed() -> bool:
    """Whether `claim_process` has been called."""
    return _claimed


def visible_stderr() -> int:
    """The descriptor that reaches the user's standard error, even inside `quiet_stderr`."""
    return _visible_stderr


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what libraries write to file descriptor 2, in a process that has been claimed.

    The log level variables miss the lines that TensorFlow's C++ writes first.
    """
    global _visible_stderr
    if not _claimed or _visible_stderr != STDERR:
        yield
        return
    saved = _visible_stderr = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(saved, STDERR)
        _visible_stderr = STDERR
        os.close(saved)
        os.close(nowhere)
