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
    """What went wrong, in one line, without the control characters of a damaged file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = (str(error) or type(error).__name__).splitlines()[0]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
