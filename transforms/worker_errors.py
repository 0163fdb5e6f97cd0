"""Errors meant for the user, on their way from a worker to the command.

A runner hands a worker's exception over as text, inside a traceback and sometimes inside a stack
trace of Java's. So a UserError travels as JSON behind a mark, and is read back in one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from elmo_beam.elmo.errors import UserError

MARK = "elmo-beam-error:"


class WorkerError(Exception):
    """A UserError that leaves a worker; its text is the mark and the message as JSON."""


@contextmanager
def user_errors_marked() -> Iterator[None]:
    """Raise a WorkerError for a UserError."""
    try:
        yield
    except UserError as error:
        raise WorkerError(f"{MARK}{json.dumps(str(error))}") from None


def marked_user_error(text: str) -> UserError | None:
    """The last UserError that stands in a runner's text, None if there is none."""
    found = None
    for mark in re.finditer(re.escape(MARK), text):
        with suppress(ValueError):  # the runner cut the text, or the mark is part of a message
            message, _ = json.JSONDecoder().raw_decode(text, mark.end())
            found = UserError(message)
    return found
