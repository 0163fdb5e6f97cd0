"""The exceptions whose text is meant for a user: cause, value and remedy in one line.

A message names an argument in backquotes, as in `max_tokens`; the command line shows it as the flag
of that name.
"""

from __future__ import annotations


class UserError(Exception):
    """A problem that the user can fix. Its message is one line and needs no traceback."""


class ArgumentError(UserError, ValueError):
    """An argument that is missing, has a value it cannot have, or contradicts another."""


def cause_of(error: BaseException) -> str:
    """What went wrong, in one line."""
    # HDF5's `strerror` is several lines.
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return (text or type(error).__name__).splitlines()[0]
