"""Errors for a user: each a UserError of one line that says what is wrong, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from elmo_beam.elmo.errors import UserError


@contextmanager
def refused(*parts: object, kind: type[UserError] = UserError) -> Iterator[None]:
    """The block raises a UserError of one line that contains each of `parts`."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert len(message.splitlines()) == 1, f"not one line: {message!r}"
    for part in parts:
        assert str(part) in message, f"no {str(part)!r} in {message!r}"
