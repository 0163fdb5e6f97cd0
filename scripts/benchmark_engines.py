"""The encoder against a TF-Hub module of the same weights, of google/elmo's size, on real text.

All in one process, in turn, run by run, so that a machine whose speed drifts slows all alike. The
module runs as its users run it: signature `default` on batches of texts in the order they come, at
the batch size that suits it best. Beside them, in the same turns, the rate of matrix products.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from random_model import SIZES, random_weights, write_module

from elmo.backend import silent_stderr, tf
from elmo.encoder import Encoder
from elmo.errors import UserError
from elmo.options import Options
from elmo.outputs import output_names
from elmo.precision import PRECISIONS, check_precision
from elmo.sentences import Sentences

BATCHES = (32, 64, 128)  # of the module
UNSEEN = "\ue000"  # private use: a token that no text holds, so that the cache stays cold
ROWS = 2048  # of the matrix product that stands for the machine


def lstm_flops(options: Options) -> int:
    """Floating-point operations a token in all LSTMs, each product taken in full."""
    gates = 2 * options.projection_dim * 4 * options.lstm_dim
    projection = options.lstm_dim * options.projection_dim
    return 2 * 2 * options.n_layers * (gates + projection)


def compare(sentences: list[list[str]], runs: int, work: Path) -> dict[str, Any]:
    """Rates in tokens/s, run by run, how far the vectors differ, and how much of the machine."""
    weights = random_weights(SIZES["google"], seed=1)
    write_module(weights, work / "module")
    signature = _module(work / "module")
    encoders = {p: Encoder(weights, precision=p) for p in _precisions()}
    products = {p: _matrix_product(weights.options, tf.as_dtype(p)) for p in encoders}
    columns = Sentences.from_lists(sentences)
    tokens = len(columns.ids)

    cold = {}
    for precision, encoder in encoders.items():
        encoder.encode([[UNSEEN]])  # compiles
        cold[precision] = tokens / _seconds(_encode, encoder, columns)
    differences = _differences(encoders, signature, sentences)
    quarter = sentences[: len(sentences) // 4]
    trials = {batch: _seconds(_run, signature, quarter, batch) for batch in BATCHES}
    batch = min(trials, key=lambda b: trials[b])
    rates: dict[str, list[float]] = {"module": [], **{p: [] for p in encoders}}
    flops: dict[str, list[float]] = {p: [] for p in encoders}
    for _ in range(runs):
        rates["module"].append(tokens / _seconds(_run, signature, sentences, batch))
        for precision, encoder in encoders.items():
            flops[precision].append(products[precision]())
            rates[precision].append(tokens / _seconds(_encode, encoder, columns))
    nominal = lstm_flops(weights.options)
    return {
        "sentences": len(sentences),
        "tokens": tokens,
        "batch": batch,
        "rates": rates,
        "cold": cold,
        "products": flops,
        "ratio": {
            p: median(a / b for a, b in zip(rates[p], rates["module"], strict=True))
            for p in encoders
        },
        "of_products": {
            p: median(rate * nominal / f for rate, f in zip(rates[p], flops[p], strict=True))
            for p in encoders
        },
        "differences": differences,
    }


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


def _precisions() -> list[str]:
    found = []
    for precision in PRECISIONS:
        try:
            check_precision(precision)
            found.append(precision)
        except UserError as error:
            print(error)
    return found


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def _module(folder: Path) -> Any:
    with silent_stderr():
        import tensorflow_hub

        return tensorflow_hub.load(str(folder)).signatures["default"]


def _run(signature: Any, sentences: list[list[str]], batch: int) -> None:
    for start in range(0, len(sentences), batch):
        texts = [" ".join(tokens) for tokens in sentences[start : start + batch]]
        signature(tf.constant(texts))["elmo"].numpy()


def _encode(encoder: Encoder, columns: Sentences) -> None:
    for _ in encoder.batches(columns, ["elmo"]):
        pass


def _matrix_product(options: Options, dtype: tf.DType) -> Callable[[], float]:
    """Measures the rate, in FLOP/s, of the LSTMs' largest product with many rows."""
    inner, outer = 2 * options.projection_dim, 4 * options.lstm_dim
    left = tf.cast(tf.random.normal([ROWS, inner]), dtype)
    right = tf.cast(tf.random.normal([inner, outer]), dtype)
    product = tf.function(lambda: tf.matmul(left, right))
    product()
    return lambda: 2 * ROWS * inner * outer / median(_seconds(product) for _ in range(5))


def _differences(
    encoders: dict[str, Encoder], signature: Any, sentences: list[list[str]]
) -> dict[str, dict[str, float]]:
    """float32 from the module, largest; the others from float32, relative, output by output."""
    some = sentences[:128]
    names = output_names(encoders["float32"].options)
    vectors = {p: encoder.encode(some, names) for p, encoder in encoders.items()}
    exact = vectors["float32"]
    result = signature(tf.constant([" ".join(tokens) for tokens in some]))
    lengths = np.array([len(tokens) for tokens in some])
    real = np.arange(lengths.max()) < lengths[:, np.newaxis]
    module = {n: a.numpy() if n == "default" else a.numpy()[real] for n, a in result.items()}
    return {
        "float32, largest difference from the module": {
            name: float(np.abs(exact[name] - module[name]).max()) for name in names
        },
        **{
            f"{p}, relative difference from float32": {
                name: float(np.linalg.norm(own[name] - exact[name]) / np.linalg.norm(exact[name]))
                for name in names
            }
            for p, own in vectors.items()
            if p != "float32"
        },
    }
