"""Vectors in two groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.pipeline.report.groups import two_groups


def clusters(seed: int, near: int, far: int, views: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around two opposite points in a random order, and which are around the first."""
    rng = np.random.default_rng(seed)
    first = rng.permutation(np.arange(near + far) < near)
    centre = rng.normal(size=(views, 16))
    vectors = np.where(first[:, None, None], centre, -centre) * 5 + 100
    return vectors + rng.normal(0, 0.5, (near + far, views, 16)), first


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.integers(3, 20), st.integers(3, 20), st.integers(1, 3))
def test_what_lies_apart_is_told_apart(seed: int, near: int, far: int, views: int) -> None:
    vectors, first = clusters(seed, near, far, views)
    one, other = two_groups(vectors)
    assert 0 in one
    assert sorted([*one, *other]) == list(range(near + far))
    assert set(first[one]) == {first[0]} and set(first[other]) == {not first[0]}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 3))
def test_every_vector_is_in_one_group(seed: int, n: int, views: int) -> None:
    vectors = np.random.default_rng(seed).integers(0, 2, (n, views, 3)).astype(np.float16)
    one, other = two_groups(vectors)
    assert one.size and 0 in one
    assert sorted([*one, *other]) == list(range(n))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_equal_vectors_are_one_group(n: int) -> None:
    one, other = two_groups(np.full((n, 2, 4), 0.3, np.float32))
    assert (sorted(one), len(other)) == (list(range(n)), 0)


def test_the_most_typical_comes_first() -> None:
    angles = np.radians([60, 0, 30, 240, 180, 210])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None]
    one, other = two_groups(vectors)
    assert (one[0], other[0]) == (2, 5)  # the middle one of each


def test_views_count_the_same_whatever_their_size() -> None:
    rng = np.random.default_rng(1)
    clear, _ = clusters(2, 8, 8, 1)
    noise = rng.normal(0, 1, (16, 1, 16))
    small, large = (two_groups(np.concatenate([clear, noise * k], axis=1)) for k in (1, 1e4))
    for a, b in zip(small, large, strict=True):
        np.testing.assert_array_equal(a, b)
