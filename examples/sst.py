"""What both sentiment examples share: the data, the baseline, and a picture."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the regressions: the smaller, the more penalty
PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class Reviews:
    """Sentences of tokens separated by spaces, and their labels, 0 or 1."""

    sentences: list[str]
    labels: np.ndarray


def read_reviews(path: Path) -> Reviews:
    """A file of lines `label sentence`, as SST-2 is usually distributed (stsa.binary.*)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines if len(line.split()) > 1]
    return Reviews([pair[1] for pair in pairs], np.array([int(pair[0]) for pair in pairs]))


def arguments(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, dict[str, Reviews]]:
    """The command line, with the flags that both examples share, and the three files it names."""
    for part in PARTS:
        parser.add_argument(f"--{part}", type=Path, required=True, help="lines of `label sentence`")
    parser.add_argument("--model", default="default", help="a model handle, as for elmo-beam embed")
    parser.add_argument("--picture", type=Path, default=Path("sentiment.svg"), help="an SVG file")
    args = parser.parse_args()
    return args, {part: read_reviews(getattr(args, part)) for part in PARTS}


def bag_of_words(reviews: dict[str, Reviews]) -> float:
    """Test accuracy of logistic regression on which words occur in a sentence."""
    words = CountVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False, binary=True)
    words.fit(reviews["train"].sentences)
    features = {part: words.transform(own.sentences) for part, own in reviews.items()}
    return regression(features, {part: own.labels for part, own in reviews.items()})


def regression(features: Mapping[str, Any], labels: Mapping[str, np.ndarray]) -> float:
    """Test accuracy of the logistic regression that is best on dev."""
    models = [LogisticRegression(C=strength, max_iter=2000) for strength in STRENGTHS]
    return best_on_dev(models, features, labels)[1]


def best_on_dev(
    models: Sequence[Any], features: Mapping[str, Any], labels: Mapping[str, np.ndarray]
) -> tuple[float, float]:
    """Accuracy on dev and test of whichever scikit-learn model is best on dev."""
    found = []
    for model in models:
        model.fit(features["train"], labels["train"])
        dev, test = (model.score(features[part], labels[part]) for part in ("dev", "test"))
        found.append((float(dev), float(test)))
    return max(found, key=lambda scores: scores[0])


def draw(path: Path, title: str, bars: dict[str, float], least: float) -> None:
    """Bars from `least` to 1, as SVG."""
    parts = [f'<text x="10" y="24" font-weight="bold">{escape(title)}</text>']
    for i, (name, value) in enumerate(bars.items()):
        y, width = 44 + 32 * i, 360 * max(value - least, 0) / (1 - least)
        parts.append(
            f'<text x="10" y="{y + 17}">{escape(name)}</text>'
            f'<rect x="200" y="{y}" width="{width:.0f}" height="24" fill="#0072b2"/>'
            f'<text x="{206 + width:.0f}" y="{y + 17}">{value:.1%}</text>'
        )
    size = f'width="640" height="{60 + 32 * len(bars)}"'
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="14">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )
