"""The exceptions whose text is meant for a user: cause, value and remedy in one line.

A message names an argument in backquotes, as in `max_tokens`; the command line shows it as the flag
of that name.
"""

from __future__ import annotations

import errno
import re


class UserError(Exception):
    """A problem that the user can fix. Its message is one line and needs no traceback."""


class ArgumentError(UserError, ValueError):
    """An argument that is missing, has a value it cannot have, or contradicts another."""


# What NumPy, Arrow, TensorFlow, threads and the loader of libraries say when memory has run out.
OUT_OF_MEMORY = re.compile(
    r".*(?:\bMemoryError\b|failed to map segment|[Cc]annot allocate memory|[Uu]nable to allocate|"
    r"OOM when allocating|alloc of size \d+ failed|can't start new thread|bad_alloc).*"
)


def memory_error(error: BaseException) -> UserError | None:
    """What to tell a user if an error means that memory has run out; None if it does not.

    It may be the error of a library, or a runner's, which has the library's words in its own.
    """
    found = OUT_OF_MEMORY.search(str(error))
    if not found and not isinstance(error, MemoryError):
        return None
    cause = found[0].strip() if found else cause_of(error)
    return UserError(
        f"out of memory ({cause}): free some, or raise the limit of this process (ulimit -v, or "
        "its container's)"
    )


def writing_remedy(error: OSError, otherwise: str) -> str:
    """What to do where a file cannot be written: `otherwise`, unless no file may be so large."""
    if error.errno == errno.EFBIG:
        return "raise the limit on the size of a file (ulimit -f, or the filesystem's)"
    return otherwise


def cause_of(error: BaseException) -> str:
    """What went wrong, in one line, without the control characters of a damaged file."""
    # HDF5's `strerror` is several lines.
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    line = (text or type(error).__name__).splitlines()[0]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
