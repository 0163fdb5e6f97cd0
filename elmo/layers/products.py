"""Matrix products that may be taken in bfloat16, while all that is computed beside them is not."""

from __future__ import annotations

from elmo_beam.elmo.backend import tf


def rounded(x: tf.Tensor, dtype: tf.DType | None) -> tf.Tensor:
    """A factor of products, rounded to `dtype` if one is given."""
    return tf.cast(x, dtype or x.dtype)


def product(a: tf.Tensor, b: tf.Tensor, dtype: tf.DType | None, **transposed: bool) -> tf.Tensor:
    """A product in the dtype of `a`.

    dtype: what the factors and the product are rounded to, if they are; sums within it are not.
    """
    return tf.cast(tf.matmul(rounded(a, dtype), rounded(b, dtype), **transposed), a.dtype)
