"""Items that are made in a thread, one ahead of the one in use."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from elmo_beam.transforms.steps import prefetched


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for i, event in enumerate(made):
            event.set()
            yield i

    for i in prefetched(items()):
        if i < 2:
            assert made[i + 1].wait(10), f"{i + 1} was not begun while {i} was in use"
        if i == 0:
            assert not made[2].wait(0.2), "it runs ahead by more than one"


def test_what_fails_ahead_is_raised_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("second")

    found = prefetched(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="second"):
        next(found)


def test_a_reader_that_is_let_go_leaves_no_thread() -> None:
    before = threading.active_count()
    found = prefetched(iter(range(10)))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
