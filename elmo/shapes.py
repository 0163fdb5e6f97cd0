"""Sizes that recur: TensorFlow's matrix library compiles, and keeps, kernels for each shape it saw.

Text brings thousands of shapes, some 100 kB of kernels each; rounded up there are a few hundred.
"""

from __future__ import annotations

import numpy as np

# Of a product: one to three round otherwise than more, so a vector would hang on its company, and
# fewer take as long, since the weights have to come from memory.
LEAST_ROWS = 8


def rounded_up(sizes: np.ndarray | int, steps: int, least: int = 1) -> np.ndarray:
    """int64, shaped as `sizes` (int, not negative): each to the next of `steps` an octave.

    So by less than 1 / `steps` of itself, or by less than `least`. steps, least: powers of two.
    """
    sizes = np.asarray(sizes, np.int64)
    bits = np.frexp(sizes.astype(np.float64))[1].astype(np.int64)
    unit = np.maximum(np.left_shift(1, np.maximum(bits - steps.bit_length(), 0)), least)
    return -(-sizes // unit) * unit
