"""The sampled softmax: cross entropy against a few words of the vocabulary, drawn anew each step.

The loss is that of tf.nn.sampled_softmax_loss (Jean et al., "On Using Very Large Target Vocabulary
for Neural Machine Translation", 2015), and so are its gradients. Here the logits are made, used and
dropped some rows at a time, so that they stay in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.layers.products import product, rounded

LOGITS = 1 << 21  # at most, of one product, or one row of them


def sampled_loss(
    softmax: tuple[Any, Any],
    states: tf.Tensor,
    targets: tf.Tensor,
    samples: tf.Tensor,
    expected: tf.Tensor,
    dtype: tf.DType | None = None,
) -> tf.Tensor:
    """Mean cross entropy of each target against the samples and itself, in nats.

    softmax: W [words, width] and b [words]; states: float [predictions, width]; targets: int
    [predictions]; samples: int64 [n], distinct words; expected: float [words], how often each is
    among the samples. dtype: what the products for the gradients are rounded to. The logits are
    not, else a target's own could be above the one that is summed, and the loss below 0.
    """
    w, b = softmax
    shift = tf.math.log(expected)
    own_w, own_b = tf.gather(w, targets), tf.gather(b, targets) - tf.gather(shift, targets)
    own = tf.reduce_sum(states * own_w, axis=1) + own_b
    # A target that is among the samples has its logit there.
    sampled = tf.scatter_nd(
        samples[:, tf.newaxis], tf.ones_like(samples, tf.bool), tf.shape(b, samples.dtype)
    )
    absent = tf.cast(~tf.gather(sampled, targets), states.dtype)
    sampled_w, sampled_b = tf.gather(w, samples), tf.gather(b, samples) - tf.gather(shift, samples)

    def cross_entropies(
        states: tf.Tensor, w: tf.Tensor, b: tf.Tensor, own: tf.Tensor
    ) -> tuple[tf.Tensor, Any]:
        total, gradients = _summed(states, w, b, own, absent, dtype)
        return total, lambda upstream: [upstream * g for g in gradients]

    total = tf.custom_gradient(cross_entropies)(states, sampled_w, sampled_b, own)
    return total / tf.cast(tf.size(targets), states.dtype)


def _summed(
    states: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor,
    own: tf.Tensor,
    absent: tf.Tensor,
    dtype: tf.DType | None,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The sum of the cross entropies, and its gradients by `states`, `w`, `b` and `own`.

    own: the targets' logits, float [predictions]; absent: 1 for a target that is not among the
    samples, 0 for one that is.
    """
    n, rows = tf.shape(states)[0], tf.maximum(LOGITS // tf.size(b), 1)
    transposed, factor = tf.transpose(w), rounded(w, dtype)

    def part(
        start: tf.Tensor, total: tf.Tensor, d_w: tf.Tensor, d_b: tf.Tensor, kept: list[Any]
    ) -> tuple[Any, ...]:
        here = slice(start, start + rows)
        x, target, alone = states[here], own[here, tf.newaxis], absent[here, tf.newaxis]
        logits = tf.nn.bias_add(tf.matmul(x, transposed), b)
        top = tf.maximum(tf.reduce_max(logits, axis=1, keepdims=True), target)
        raised, of_target = tf.exp(logits - top), alone * tf.exp(target - top)
        partition = tf.reduce_sum(raised, axis=1, keepdims=True) + of_target
        total += tf.reduce_sum(tf.math.log(partition) + top - target)
        shares = raised / partition
        d_w += product(shares, x, dtype, transpose_a=True)
        d_b += tf.reduce_sum(shares, axis=0)
        made = product(shares, factor, dtype), of_target[:, 0] / partition[:, 0] - 1.0
        at = start // rows
        kept = [array.write(at, value) for array, value in zip(kept, made, strict=True)]
        return start + rows, total, d_w, d_b, kept

    parts = -(-n // rows)
    kept = [
        tf.TensorArray(x.dtype, parts, infer_shape=False, element_shape=[None, *x.shape[1:]])
        for x in (states, own)
    ]
    none = (0, tf.zeros([], b.dtype), tf.zeros_like(w), tf.zeros_like(b), kept)
    _, total, d_w, d_b, kept = tf.while_loop(
        lambda start, *_: start < n, part, none, parallel_iterations=1
    )
    d_states, d_own = (array.concat() for array in kept)
    return total, [d_states, d_w, d_b, d_own]


def draw_samples(words: int, n: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """`n` distinct words, frequent ones more often, and how often each word is expected among them.

    int64 [n] and float32 [words]. Words are in order of falling frequency; word k is drawn with
    probability log((k + 2) / (k + 1)) / log(words + 1) until there are n distinct ones, as in
    tf.random.log_uniform_candidate_sampler. If n is half of the words or more, all are given, each
    expected once, since drawing the last of them would take long.
    """
    if 2 * n >= words:
        return np.arange(words), np.ones(words, np.float32)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(0, np.int64)
    while True:
        more = np.exp(rng.random(2 * n + len(drawn)) * np.log(words + 1.0)).astype(np.int64) - 1
        drawn = np.concatenate([drawn, np.minimum(more, words - 1)])
        first = np.sort(np.unique(drawn, return_index=True)[1])
        if len(first) >= n:
            break
    tries = int(first[n - 1]) + 1
    k = np.arange(words)
    chance = np.log((k + 2.0) / (k + 1.0)) / np.log(words + 1.0)
    return drawn[first[:n]], (-np.expm1(tries * np.log1p(-chance))).astype(np.float32)
