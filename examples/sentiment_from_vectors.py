"""Sentiment from vectors that are computed once: embed, pool, logistic regression.

python examples/sentiment_from_vectors.py --train stsa.binary.train --dev stsa.binary.dev \
        --test stsa.binary.test
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sst import PARTS, Reviews, arguments, bag_of_words, draw, regression

from transforms.readers import Run, open_run

OUTPUTS = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo")


def embed(reviews: dict[str, Reviews], model: str, work: Path) -> Run:
    """All sentences through `elmo-beam embed`; each has its part and number as id."""
    work.mkdir(parents=True, exist_ok=True)
    for part, own in reviews.items():
        lines = [json.dumps({"id": f"{part} {i}", "text": s}) for i, s in enumerate(own.sentences)]
        (work / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    inputs = [word for part in PARTS for word in ("--input", str(work / f"{part}.jsonl"))]
    done = subprocess.run(
        [
            sys.executable, "-m", "pipeline", "embed", *inputs, "--output", str(work / "vectors"),
            "--model", model, "--outputs", ",".join(OUTPUTS), "--tokenizer", "whitespace",
            "--id_field", "id",
        ]
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.returncode)
    return open_run(str(work / "vectors"))


def pooled(run: Run, output: str, reviews: dict[str, Reviews]) -> dict[str, np.ndarray]:
    """Each sentence's mean and maximum over its tokens: float32 [sentences, 2 × dim]."""
    width = 2 * run.dim(output)
    features = {
        part: np.zeros((len(own.labels), width), np.float32) for part, own in reviews.items()
    }
    ids = (key for table in run.tables(["id"]) for key in table["id"].to_pylist())
    for key, (vectors, _) in zip(ids, run.rows(output), strict=True):
        part, number = key.split()
        features[part][int(number)] = np.concatenate([vectors.mean(axis=0), vectors.max(axis=0)])
    mean, scale = features["train"].mean(axis=0), features["train"].std(axis=0) + 1e-6
    return {part: (own - mean) / scale for part, own in features.items()}


def main() -> None:
    """Print the accuracies, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("sentiment-vectors"), help="a folder")
    args, reviews = arguments(parser)
    run = embed(reviews, args.model, args.work)
    bars = {"bag of words": bag_of_words(reviews)}
    features = {output: pooled(run, output, reviews) for output in OUTPUTS}
    bars |= {output: regression(features[output], reviews) for output in OUTPUTS}
    together = {
        part: np.concatenate([features[output][part] for output in OUTPUTS[:-1]], axis=1)
        for part in PARTS
    }
    bars["all layers"] = regression(together, reviews)
    for name, accuracy in bars.items():
        print(f"{name:<16}{accuracy:8.1%}")
    draw(args.picture, "Sentiment of test sentences told", bars, 0.5)
    print(args.picture)


if __name__ == "__main__":
    main()
