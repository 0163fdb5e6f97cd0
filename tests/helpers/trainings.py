"""A small training: its options, its text, and the command."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.helpers.command import Ran, elmo_beam

OPTIONS: dict[str, Any] = {
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 4], [2, 6]],
        "max_characters_per_token": 50,
        "n_characters": 262,
        "n_highway": 1,
    },
    "lstm": {
        "cell_clip": 3, "dim": 12, "n_layers": 2, "proj_clip": 3, "projection_dim": 6,
        "use_skip_connections": True,
    },
    "batch_tokens": 200,
    "learning_rate_adam": 0.05,
    "n_negative_samples_batch": 8,
    "n_tokens_vocab": 40,
}  # fmt: skip


def sentences(lines: int, seed: int = 0) -> str:
    """Text that can be learned: only a few words may follow each word."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(30)]
    text = []
    for _ in range(lines):
        at, said = rng.randrange(30), []
        for _ in range(rng.randrange(3, 12)):
            said.append(words[at])
            at = (at * 2 + rng.randrange(2)) % 30
        text.append(" ".join(said))
    return "\n".join(text) + "\n"


def train(text: Path, out: Path | str, *flags: object) -> Ran:
    return elmo_beam("train", "--input", text, "--output", out, *flags)


def perplexity(model: Path) -> tuple[float, float]:
    last = json.loads((model / "training.json").read_text())["perplexity"][-1]
    return last["forward"], last["backward"]
