"""Vectors in two groups."""

from __future__ import annotations

import numpy as np

from elmo_beam.pipeline.report.directions import directions

STEPS = 100  # at most; a few are enough


def two_groups(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two groups, of vectors [n, views, dim]: the numbers of each one's, most typical first.

    k-means with k = 2, started from the sides of the axis along which the vectors differ most. Each
    view counts the same, as a direction from its mean. The most typical is the furthest on its own
    side. The first group has vector 0; the second is empty if all vectors are equal.
    """
    views = [directions(view.astype(np.float32)) for view in np.moveaxis(vectors, 1, 0)]
    points = np.concatenate(views, axis=1)
    side = np.linalg.eigh(points @ points.T)[1][:, -1]
    for _ in range(STEPS):
        first = side > 0
        if first.all() or not first.any():
            break
        a, b = points[first].mean(axis=0), points[~first].mean(axis=0)
        side = (points - (a + b) / 2) @ (a - b)
        if np.array_equal(side > 0, first):
            break
    order = np.argsort(-side, kind="stable")
    one, other = order[side[order] > 0], order[side[order] <= 0][::-1]
    return (one, other) if 0 in one else (other, one)
