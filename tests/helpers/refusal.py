"""What every error for a user must be: a UserError of one line that says what is wrong where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from elmo_beam.elmo.errors import UserError


@contextmanager
def refused(*parts: object) -> Iterator[None]:
    """The block raises a UserError of one line that holds each of `parts`."""
    with pytest.raises(UserError) as caught:
        yield
    message = str(caught.value)
    assert len(message.splitlines()) == 1, f"not one line: {message!r}"
    for part in parts:
        assert str(part) in message, f"no {str(part)!r} in {message!r}"
