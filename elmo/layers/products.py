"""Matrix products whose factors may be rounded to bfloat16, while all else keeps its dtype."""

from __future__ import annotations

from elmo_beam.elmo.backend import tf


def rounded(x: tf.Tensor, dtype: tf.DType | None) -> tf.Tensor:
    """A factor of products, rounded to `dtype` if one is given."""
    return tf.cast(x, dtype or x.dtype)


def product(a: tf.Tensor, b: tf.Tensor, dtype: tf.DType | None, **transposed: bool) -> tf.Tensor:
    """A product in the dtype of `a`. dtype: what both factors are rounded to, if they are."""
    return tf.cast(tf.matmul(rounded(a, dtype), rounded(b, dtype), **transposed), a.dtype)
