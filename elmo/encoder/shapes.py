"""Sizes that recur: TensorFlow's matrix library compiles and keeps kernels for each shape it meets.

Text brings thousands of shapes, with some 100 kB of kernels each; rounded up, a few hundred.
"""

from __future__ import annotations

import numpy as np

# Of a product: one to three rows round differently from more, so vectors would depend on the batch.
# Fewer rows are no faster, since the weights have to come from memory.
LEAST_ROWS = 8


def rounded_up(sizes: np.ndarray | int, per_octave: int, least: int = 1) -> np.ndarray:
    """Sizes (int, not negative), each rounded up to the next of `per_octave` sizes per octave.

    int64, shaped as `sizes`. Each grows by less than 1 / `per_octave` of itself, or by less than
    `least`. per_octave, least: powers of two.
    """
    sizes = np.asarray(sizes, np.int64)
    bits = np.frexp(sizes.astype(np.float64))[1].astype(np.int64)
    unit = np.maximum(np.left_shift(1, np.maximum(bits - per_octave.bit_length(), 0)), least)
    return -(-sizes // unit) * unit
