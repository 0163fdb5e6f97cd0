"""Long sequences, such as proteins: one alone, and several in one pass, at google/elmo's size.

A step of one sequence reads all weights of the LSTMs for a single row, so a lone sequence is bound
by memory; the bound is printed beside its rate.
"""

from __future__ import annotations

import random
from statistics import median
from typing import Any

from benchmark_encoders import precisions, process_of
from random_model import SIZES

from elmo_beam.elmo.model.costs import lstm_flops
from elmo_beam.pipeline.job.run import encoder_threads

TOGETHER = 16
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
ITEM_SIZE = {"float32": 4, "bfloat16": 2}


def compare(length: int, runs: int) -> dict[str, Any]:
    """Rates in residues/s of each run, and what memory allows a lone sequence."""
    rng, names = random.Random(0), precisions()
    proteins = [rng.choices(RESIDUES, k=length) for _ in range(TOGETHER)]
    process = process_of({"TF_NUM_INTRAOP_THREADS": encoder_threads(1)})
    native = process.Native(proteins, names)  # type: ignore[attr-defined]
    rates: dict[str, dict[str, list[float]]] = {p: {"lone": [], "together": []} for p in names}
    read: list[float] = []
    for _ in range(runs):
        read.append(native.bandwidth())
        for p in names:
            rates[p]["lone"].append(native.rate(p, 1))
            rates[p]["together"].append(native.rate(p))
    process.shutdown()
    weights = {p: lstm_flops(SIZES["google"]) // 2 * ITEM_SIZE[p] for p in names}
    return {
        "length": length,
        "sequences": TOGETHER,
        "rates": rates,
        "bandwidth": read,
        "bound": {p: median(read) / weights[p] for p in names},
        "ratio": {p: median(b / a for a, b in zip(*rates[p].values(), strict=True)) for p in names},
    }


def table(found: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        f"google/elmo's size: sequences of {found['length']} residues; memory is read at "
        f"{median(found['bandwidth']) / 1e9:.1f} GB/s"
    ]
    for p, rates in found["rates"].items():
        lone, together = median(rates["lone"]), median(rates["together"])
        lines.append(
            f"  {p}: one {lone:,.0f} residues/s (memory allows {found['bound'][p]:,.0f}), "
            f"{found['sequences']} together {together:,.0f}: {found['ratio'][p]:.1f} × the rate"
        )
    return "\n".join(lines)
