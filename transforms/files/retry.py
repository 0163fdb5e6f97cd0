"""Errors that may pass, such as a lost connection: the same again, a little later."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from elmo_beam.elmo.errors import UserError

T = TypeVar("T")

WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries
DEADLINE = 60.0  # seconds after which there is no further try

PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET,
    errno.EHOSTUNREACH, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENETUNREACH, errno.ENFILE,
    errno.ENOBUFS, errno.EPIPE, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip
LASTING = (ImportError, ValueError, FileNotFoundError, PermissionError, UserError)


def retried(action: Callable[[], T]) -> T:
    """What the action returns; it is tried again after an error that may pass."""
    for last in tries():
        try:
            return action()
        except Exception as error:
            if last or not may_pass(error):
                raise
    raise AssertionError("the last try returns or raises")


def tries() -> Iterator[bool]:
    """One item per try, after its wait: whether it is the last."""
    began = time.monotonic()
    for wait in WAITS:
        yield False
        time.sleep(wait)
        if time.monotonic() - began > DEADLINE:
            break
    yield True


def may_pass(error: Exception) -> bool:
    """Whether another try may succeed.

    So for a local cause that is known to pass, and for whatever a remote filesystem raises, except
    where it says that the address or the rights are wrong.
    """
    error = root_of(error)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in PASSING
    code = getattr(error, "code", None)  # HTTP's
    if isinstance(code, int) and 400 <= code < 500:
        return code in (408, 429)
    return not isinstance(error, LASTING)


def root_of(error: Exception) -> Exception:
    """The error behind those of Beam's filesystems, which wrap it or stumble over it."""
    while True:
        details = getattr(error, "exception_details", None)  # of a BeamIOError, by path
        causes = list(details.values()) if isinstance(details, dict) else []
        if isinstance(error, AttributeError | TypeError):
            causes.append(error.__context__)
        inner = next((cause for cause in causes if isinstance(cause, Exception)), None)
        if inner is None:
            return error
        error = inner
