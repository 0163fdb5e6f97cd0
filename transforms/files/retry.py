"""Errors that may pass, such as a lost connection: the same again, a little later."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from elmo_beam.elmo.errors import UserError

T = TypeVar("T")

WAITS: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between tries
DEADLINE = 60.0  # seconds after which no further try begins

PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET,
    errno.EHOSTUNREACH, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENETUNREACH, errno.ENFILE,
    errno.ENOBUFS, errno.EPIPE, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip
LASTING = (ImportError, ValueError, FileNotFoundError, PermissionError, UserError)
# By name, since the extras of the stores may not be installed: botocore's and google.auth's.
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")

_trying: ContextVar[bool] = ContextVar("_trying", default=False)


def retried(action: Callable[[], T]) -> T:
    """What the action returns; it is tried again after an error that may pass."""
    began = time.monotonic()
    for wait in (*WAITS, None):
        token = _trying.set(True)
        try:
            return action()
        except Exception as error:
            if wait is None or time.monotonic() - began + wait > DEADLINE or not may_pass(error):
                raise
            time.sleep(wait)
        finally:
            _trying.reset(token)
    raise AssertionError("the last try returns or raises")


def is_retried() -> bool:
    """Whether `retried` is running what runs here: then nothing below it needs to try again."""
    return _trying.get()


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
    return not isinstance(error, LASTING) and type(error).__name__ not in NO_CREDENTIALS


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
