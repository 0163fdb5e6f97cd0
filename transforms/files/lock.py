"""A lock on a local folder, which dies with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.storage import is_remote


@contextmanager
def locked(root: str, lock: str) -> Iterator[None]:
    """Hold a folder, created if need be, by a lock on file `lock`; UserError if it is in use.

    A remote folder is not locked.
    """
    if is_remote(root):
        yield
        return
    try:
        os.makedirs(root, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"cannot write to `output` {root} ({error.strerror}): name a folder that you may "
            "write to"
        ) from None
    try:
        _flock(root, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def refuse_locked(root: str, lock: str) -> None:
    """UserError if a command is writing to the folder at this moment."""
    if is_remote(root) or not os.path.exists(lock):
        return
    with open(lock, "rb") as file:
        _flock(root, file.fileno(), fcntl.LOCK_SH)


def _flock(root: str, descriptor: int, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        raise UserError(
            f"another elmo-beam is writing to {root}: wait for it, or stop it first"
        ) from None
