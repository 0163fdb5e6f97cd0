"""Vectors on a plane, of which a few that are far away do not squeeze the others."""

from __future__ import annotations

import numpy as np

MOST = 0.95  # of the points are what the plane and its scale are made for
ROOM = 1.5


def projected(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places [points, 2] from 0 to 1, and bool [points]: which are on the edge, not in their place.

    The axes are the first two principal components of all vectors but those more than twice as far
    from the median as most are. On an axis, a point farther from the range of most than ROOM times
    its width stands on the edge.
    """
    centred = vectors.astype(np.float64) - np.median(vectors, axis=0)
    far = np.linalg.norm(centred, axis=1)
    usual = centred[far <= 2 * np.quantile(far, MOST, method="lower")]
    _, _, axes = np.linalg.svd(usual - usual.mean(axis=0), full_matrices=False)
    flat = centred @ axes[:2].T
    if flat.shape[1] < 2:  # of vectors of one number, or of a single point
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    low = np.quantile(flat, 1 - MOST, axis=0, method="higher")
    high = np.quantile(flat, MOST, axis=0, method="lower")
    room = ROOM * (high - low)
    room[room <= 0] = np.inf  # too few points, or all alike
    inside = (flat >= low - room) & (flat <= high + room)
    least = np.where(inside, flat, np.inf).min(axis=0)
    most = np.where(inside, flat, -np.inf).max(axis=0)
    places = (np.clip(flat, least, most) - least) / np.maximum(most - least, 1e-9)
    return places, ~inside.all(axis=1)
