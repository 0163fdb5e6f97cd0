"""Few sizes, each a little larger than what it stands for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.shapes import rounded_up


@given(st.lists(st.integers(0, 1 << 40)), st.sampled_from([1, 4, 32]))
def test_up_by_less_than_a_step(sizes: list[int], steps: int) -> None:
    rounded = rounded_up(np.array(sizes, np.int64), steps)
    for size, up in zip(sizes, rounded.tolist(), strict=True):
        assert size <= up <= size + size / steps


def test_few_sizes() -> None:
    assert len(np.unique(rounded_up(np.arange(1, 4097), 4))) == 4 * 10 + 3 + 1
    assert rounded_up(np.arange(10), 4).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert rounded_up(1000, 32) == 1008
    assert rounded_up(np.array([0, 1, 24, 100, 1000, 10_000]), 16, 24).tolist() == [
        0, 24, 24, 120, 1008, 10_368,
    ]  # fmt: skip
