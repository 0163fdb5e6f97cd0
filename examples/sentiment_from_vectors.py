"""Sentiment from vectors that are computed once: embed, compare sentences, classify.

python examples/sentiment_from_vectors.py --train stsa.binary.train --dev stsa.binary.dev \
        --test stsa.binary.test
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC
from sst import PARTS, Reviews, arguments, bag_of_words, best_on_dev, draw, regression

import elmo_beam
from elmo_beam import Run

OUTPUTS = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo")
NARROWNESS = (2.0, 3.0, 6.0)  # of token pairs: the higher, the more only equal tokens count
PENALTIES = (1.0, 3.0, 10.0)  # of the support vector machine
TOKENS_AT_ONCE = 2048  # distinct ones, compared with all others


def embedded(reviews: dict[str, Reviews], args: argparse.Namespace) -> Run:
    """All sentences embedded, each with its part and its label; what exists is reused."""
    args.work.mkdir(parents=True, exist_ok=True)
    with open(args.work / "reviews.jsonl", "w", encoding="utf-8") as file:
        for part, own in reviews.items():
            for text, label in zip(own.sentences, own.labels.tolist(), strict=True):
                file.write(json.dumps({"part": part, "label": label, "text": text}) + "\n")
    try:
        return elmo_beam.embed(
            args.work / "reviews.jsonl",
            args.work / "vectors",
            model=args.model,
            precision=args.precision,
            outputs=OUTPUTS,
            tokenizer="whitespace",
            keep_fields=["part", "label:int64"],
        )
    except elmo_beam.UserError as error:
        sys.exit(str(error))


def pooled(run: Run, output: str, train: np.ndarray) -> np.ndarray:
    """Each row's mean and maximum over its tokens, standardized: float32 [rows, 2 × dim]."""
    vectors, offsets = run.arrays(output)
    means = np.add.reduceat(vectors, offsets[:-1]) / np.diff(offsets)[:, np.newaxis]
    features = np.concatenate([means, np.maximum.reduceat(vectors, offsets[:-1])], axis=1)
    return (features - features[train].mean(axis=0)) / (features[train].std(axis=0) + 1e-6)


def token_pairs(run: Run, narrowness: float) -> np.ndarray:
    """How similar the tokens of any two rows are by the token layer: float32 [rows, rows].

    The sum over all pairs of their tokens of exp(narrowness × (cosine - 1)), 1 with itself; the
    vectors are whitened first. Equal tokens give 1, as in a bag of words; similar ones, less.
    """
    vectors, offsets = run.arrays("word_emb")
    tokens = np.concatenate(
        [t["tokens"].combine_chunks().flatten() for t in run.tables(["tokens"])]
    )
    _, first, ids = np.unique(tokens, return_index=True, return_inverse=True)
    white = PCA(whiten=True).fit(vectors).transform(vectors[first])
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    counts = csr_matrix((np.ones(len(ids), np.float32), ids, offsets))
    total = np.zeros((counts.shape[0],) * 2, np.float32)
    for start in range(0, len(white), TOKENS_AT_ONCE):
        some = slice(start, start + TOKENS_AT_ONCE)
        alike = np.exp(narrowness * (white @ white[some].T - 1))
        total += (counts[:, some] @ (counts @ alike).T).T
    own = np.sqrt(np.diag(total))
    return total / own / own[:, np.newaxis]


def compared(
    pairs: list[np.ndarray], labels: dict[str, np.ndarray], rows: dict[str, np.ndarray]
) -> float:
    """Test accuracy of a support vector machine on sentence similarities, the best one on dev."""
    found = []
    for alike in pairs:
        features = {part: alike[np.ix_(own, rows["train"])] for part, own in rows.items()}
        machines = [SVC(C=penalty, kernel="precomputed") for penalty in PENALTIES]
        found.append(best_on_dev(machines, features, labels))
    return max(found)[1]


def main() -> None:
    """Print the accuracies, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("sentiment-vectors"), help="a folder")
    parser.add_argument("--precision", default="float32", help="as for elmo-beam embed")
    args, reviews = arguments(parser)
    run = embedded(reviews, args)
    kept = pa.concat_tables(run.tables(["part", "label"]))
    rows = {part: np.flatnonzero(pc.equal(kept["part"], part)) for part in PARTS}
    labels = {part: np.asarray(kept["label"])[own] for part, own in rows.items()}
    features = {output: pooled(run, output, rows["train"]) for output in OUTPUTS}
    bars = {"bag of words": bag_of_words(reviews)}
    for output, all_rows in features.items():
        own = {part: all_rows[chosen] for part, chosen in rows.items()}
        bars[output] = regression(own, labels)
    pairs = [token_pairs(run, narrowness) for narrowness in NARROWNESS]
    bars["token pairs"] = compared(pairs, labels, rows)
    layers = np.concatenate([features["lstm_outputs1"], features["lstm_outputs2"]], axis=1)
    context = 0.5 * rbf_kernel(layers, gamma=0.2 / layers.shape[1])
    bars["token pairs and both layers"] = compared([p + context for p in pairs], labels, rows)
    for name, accuracy in bars.items():
        print(f"{name:<28}{accuracy:8.1%}")
    draw(args.picture, "Sentiment of test sentences, accuracy", bars, 0.5)
    print(args.picture)


if __name__ == "__main__":
    main()
