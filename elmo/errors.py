"""The one exception whose text is meant for a user: cause, value and remedy in one line."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend. Its message is one line that needs no traceback."""


def cause_of(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error) or type(error).__name__).splitlines()[0]
