"""Sizes that recur: TensorFlow's matrix library compiles and keeps kernels for each shape it meets.

Text brings thousands of shapes, with some 100 kB of kernels each; rounded up, a few hundred.
"""

from __future__ import annotations

import numpy as np

from elmo_beam.elmo.processor import processor_flags

# Kernels of matrix products take 8 rows at once with AVX-512, 6 or 4 without it, and round the rows
# left over differently. With whole tiles only, a row's result is mostly the same, bit for bit,
# whatever stands in the other rows. Fewer rows are no faster, since the weights have to come from
# memory.
ROW_TILE = 8 if "avx512f" in processor_flags() else 12


def rounded_up(sizes: np.ndarray | int, per_octave: int, tile: int = 1) -> np.ndarray:
    """Sizes (int, not negative), each rounded up to the next of `per_octave` sizes per octave.

    int64, shaped as `sizes`, multiples of `tile`. Each grows by less than 1 / `per_octave` of
    itself, rounded up to the next tile. per_octave: a power of two.
    """
    tiles = -(-np.asarray(sizes, np.int64) // tile)
    bits = np.frexp(tiles.astype(np.float64))[1].astype(np.int64)
    unit = np.left_shift(1, np.maximum(bits - per_octave.bit_length(), 0))
    return -(-tiles // unit) * unit * tile
