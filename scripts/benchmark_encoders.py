"""The encoder against a TF-Hub module of the same weights, of google/elmo's size, on real text.

Each runs in a process of its own with its usual number of threads. They take turns, so that a
machine whose speed drifts slows both alike. The module runs as its users run it: signature
`default` on batches of texts in the order they come, at the batch size that suits it best. The rate
of matrix products on the whole machine is measured in the same turns.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.managers import BaseManager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from random_model import SIZES, random_weights, write_module

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.precision import PRECISIONS, check_precision
from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.costs import lstm_flops
from elmo_beam.elmo.model.outputs import output_names
from elmo_beam.elmo.process import quiet_stderr
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.pipeline.job.run import encoder_threads

BATCHES = (32, 64, 128)  # of the module
UNSEEN = "\ue000"  # private use: a token that no text holds, so that the cache stays cold
ROWS = 2048  # of the matrix product that the machine is measured by
COMPARED = 128  # sentences whose vectors are compared
READ = 1 << 28  # bytes, more than any cache holds
TO_CHOOSE = 512  # sentences that the best of BATCHES is chosen on


class Module:
    """The module in a process of its own."""

    def __init__(self, folder: str, sentences: list[list[str]]) -> None:
        """folder: where to write it."""
        weights = random_weights(SIZES["google"], seed=1)
        write_module(weights, Path(folder))
        self._texts = [" ".join(tokens) for tokens in sentences]
        with quiet_stderr():
            import tensorflow_hub

            self._signature = tensorflow_hub.load(folder).signatures["default"]

    def rate(self, batch: int, most: int | None = None) -> float:
        """Texts per second, over all or the first `most` of them."""
        texts = self._texts[:most]

        def run() -> None:
            for start in range(0, len(texts), batch):
                self._signature(tf.constant(texts[start : start + batch]))["elmo"].numpy()

        return len(texts) / _seconds(run)

    def products(self, dtype: str) -> float:
        """FLOP/s of the LSTMs' largest product with many rows."""
        return product_rate(dtype)

    def vectors(self) -> dict[str, np.ndarray]:
        """Every output of the first sentences, without padding."""
        texts = self._texts[:COMPARED]
        lengths = np.array([len(text.split(" ")) for text in texts])
        real = np.arange(lengths.max()) < lengths[:, np.newaxis]
        result = self._signature(tf.constant(texts))
        return {n: a.numpy() if n == "default" else a.numpy()[real] for n, a in result.items()}


class Native:
    """The encoder in a process of its own."""

    def __init__(self, sentences: list[list[str]], precisions: list[str]) -> None:
        weights = random_weights(SIZES["google"], seed=1)
        self._encoders = {p: Encoder(weights, precision=p) for p in precisions}
        self._sentences, self._columns = sentences, Sentences.from_lists(sentences)
        for encoder in self._encoders.values():
            encoder.encode([[UNSEEN]])  # compiles

    def rate(self, precision: str, most: int | None = None) -> float:
        """Tokens per second, of all or the first `most` sentences; at first with a cold cache."""
        sentences = self._columns.take(np.arange(len(self._columns))[:most])

        def run() -> None:
            for _ in self._encoders[precision].passes(sentences, ["elmo"]):
                pass

        return len(sentences.ids) / _seconds(run)

    def bandwidth(self) -> float:
        """Bytes per second that all threads together read from memory."""
        array = tf.zeros([READ // 4])
        total = tf.function(lambda: tf.reduce_sum(array))
        total()
        return READ / median(_seconds(total) for _ in range(5))

    def vectors(self, precision: str) -> dict[str, np.ndarray]:
        """Every output of the first sentences."""
        encoder = self._encoders[precision]
        return encoder.encode(self._sentences[:COMPARED], output_names(encoder.options))


class Process(BaseManager):
    """Holds a Module or a Native; its methods answer from there."""


Process.register("Module", Module)
Process.register("Native", Native)


def product_rate(dtype: str) -> float:
    """FLOP/s of the largest product of google/elmo's LSTMs, with many rows."""
    inner, outer = 2 * SIZES["google"].projection_dim, 4 * SIZES["google"].lstm_dim
    left = tf.cast(tf.random.normal([ROWS, inner]), dtype)
    right = tf.cast(tf.random.normal([inner, outer]), dtype)
    product = tf.function(lambda: tf.matmul(left, right))
    product()
    return 2 * ROWS * inner * outer / median(_seconds(product) for _ in range(5))


def precisions() -> list[str]:
    """Those that are worth using on this machine."""
    found = []
    for precision in PRECISIONS:
        try:
            check_precision(precision)
            found.append(precision)
        except UserError as error:
            print(error)
    return found


def compare(sentences: list[list[str]], runs: int, work: Path) -> dict[str, Any]:
    """Rates in tokens/s of each run, how far the vectors differ, and the share of the machine."""
    tokens, names = sum(map(len, sentences)), precisions()
    one, other = process_of({}), process_of({"TF_NUM_INTRAOP_THREADS": encoder_threads(1)})
    module = one.Module(str(work / "module"), sentences)  # type: ignore[attr-defined]
    native = other.Native(sentences, names)  # type: ignore[attr-defined]
    cold = {p: native.rate(p) for p in names}
    differences = _differences(
        module.vectors(),
        {p: native.vectors(p) for p in names},
        [len(s) for s in sentences[:COMPARED]],
    )
    batch = max(BATCHES, key=lambda b: module.rate(b, most=TO_CHOOSE))
    rates: dict[str, list[float]] = {"module": [], **{p: [] for p in names}}
    flops: dict[str, list[float]] = {p: [] for p in names}
    for _ in range(runs):
        rates["module"].append(module.rate(batch) * tokens / len(sentences))
        for p in names:
            flops[p].append(module.products(p))
            rates[p].append(native.rate(p))
    one.shutdown()
    other.shutdown()
    nominal = lstm_flops(SIZES["google"])
    return {
        "sentences": len(sentences),
        "tokens": tokens,
        "batch": batch,
        "rates": rates,
        "cold": cold,
        "products": flops,
        "ratio": {
            p: median(a / b for a, b in zip(rates[p], rates["module"], strict=True)) for p in names
        },
        "of_products": {
            p: median(rate * nominal / f for rate, f in zip(rates[p], flops[p], strict=True))
            for p in names
        },
        "differences": differences,
    }


def process_of(environment: dict[str, str]) -> Process:
    """A process with these variables, but for those that are set already."""
    process = Process(ctx=multiprocessing.get_context("spawn"))
    before = dict(os.environ)
    os.environ.update({**environment, **before})
    process.start()
    os.environ.clear()
    os.environ.update(before)
    return process


def table(found: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        f"google/elmo's size: {found['sentences']} sentences, {found['tokens']} tokens, median of "
        f"{len(found['rates']['module'])} (least to most)",
        f"  module, batch {found['batch']:<4}{_spread(found['rates']['module'])} tokens/s",
    ]
    for p in found["ratio"]:
        products = [f / 1e9 for f in found["products"][p]]
        lines += [
            f"  encoder {p:<9} {_spread(found['rates'][p])} tokens/s, cold cache "
            f"{found['cold'][p]:,.0f}; {found['ratio'][p]:.2f} × the module",
            f"    products {_spread(products)} GFLOP/s; LSTM FLOPs of the tokens, counted in full: "
            f"{found['of_products'][p]:.0%} of that",
        ]
    for name, of in found["differences"].items():
        lines.append(f"  {name}: " + ", ".join(f"{k} {v:.1e}" for k, v in of.items()))
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _differences(
    module: dict[str, np.ndarray], vectors: dict[str, dict[str, np.ndarray]], lengths: list[int]
) -> dict[str, dict[str, float]]:
    """How far each output is, in float32, from the module; in other precisions, from float32.

    The former is the largest difference; the latter is relative: norm of the difference ÷ norm of
    the output, in the sentence where that is largest.
    """
    exact = vectors["float32"]
    starts = np.cumsum([0, *lengths[:-1]])

    def norms(array: np.ndarray, name: str) -> np.ndarray:
        squares = np.square(array).sum(axis=1)
        return np.sqrt(squares if name == "default" else np.add.reduceat(squares, starts))

    return {
        "float32, largest difference from the module": {
            name: float(np.abs(exact[name] - module[name]).max()) for name in exact
        },
        **{
            f"{p}, relative difference from float32 in the worst sentence": {
                name: float(np.max(norms(own[name] - exact[name], name) / norms(exact[name], name)))
                for name in exact
            }
            for p, own in vectors.items()
            if p != "float32"
        },
    }
