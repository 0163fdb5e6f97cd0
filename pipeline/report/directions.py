"""Vectors as directions, to be compared by their cosine."""

from __future__ import annotations

import numpy as np


def directions(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors [n, dim] from the mean of all: their products are cosines.

    All vectors share their mean; without it, angles say more about how they differ.
    """
    centred = vectors - vectors.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return centred
