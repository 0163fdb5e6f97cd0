"""One command at a time writes to a folder: by a lock, or a lease where nothing can be locked."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.transforms.files.lease import Lease, refuse_leased
from elmo_beam.transforms.files.remote import is_remote

LOCK = ".lock"  # its name below the folder
IN_USE = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}


@contextmanager
def held(root: str, notice: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold a folder, created if need be; UserError if another command does.

    Gives a function that raises UserError if the folder is no longer held: to be called before
    anything is deleted or said to be complete. notice: told if the filesystem knows no locks.
    """
    descriptor = None if is_remote(root) else _locked(root, notice)
    if descriptor is not None:
        try:
            yield lambda: None  # a lock ends with its process only
        finally:
            os.close(descriptor)
        return
    lease = Lease(root)
    try:
        yield lease.check
    finally:
        lease.release()


def refuse_held(root: str) -> None:
    """UserError if a command is writing to a local folder at this moment."""
    path = os.path.join(root, LOCK)
    if is_remote(root) or not os.path.exists(path):
        return
    with open(path, "rb") as file:
        _flock(root, file.fileno(), fcntl.LOCK_SH)
    refuse_leased(root)


def _locked(root: str, notice: Callable[[str], None]) -> int | None:
    """The descriptor of a lock, None if the filesystem knows none."""
    try:
        os.makedirs(root, exist_ok=True)
        descriptor = os.open(os.path.join(root, LOCK), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"cannot write to `output` {root} ({cause_of(error)}): name a folder that you may "
            "write to"
        ) from None
    try:
        refusal = _flock(root, descriptor, fcntl.LOCK_EX)
    except UserError:
        os.close(descriptor)
        raise
    if refusal is None:
        return descriptor
    os.close(descriptor)
    notice(f"{root} cannot be locked ({refusal}): a lease is used instead")
    return None


def _flock(root: str, descriptor: int, kind: int) -> str | None:
    """Lock a file; UserError if another does, and the cause if none can."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return None
    except OSError as error:
        if error.errno not in IN_USE:
            return cause_of(error)
        raise UserError(
            f"another elmo-beam is writing to {root}: wait for it, or stop it first"
        ) from None
