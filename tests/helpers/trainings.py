"""A small training: its options, its text, and the command."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from elmo_beam.elmo.training.batches import Batch
from elmo_beam.elmo.training.trainer import Trainer
from elmo_beam.pipeline.training.session import Due
from tests.helpers.command import Ran, elmo_beam, process

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

Steps = dict[int, tuple[int, int, float]]  # predictions, a sum of their targets, the rate
# The command, with its first checkpoint after a twentieth of a second, and not after five.
SAVING_SOON = """
from elmo_beam.pipeline.cli import main
from elmo_beam.pipeline.training import session
from tests.helpers.trainings import due_soon

session.Due = due_soon
main()
"""


def due_soon(share: float, cost: float) -> Due:
    return Due(share, cost / 100)


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


def training(text: Path, out: Path, *flags: object) -> subprocess.Popen[str]:
    """A training in a process of its own, to be stopped: it has its first checkpoint soon."""
    words = ("train", "--input", text, "--output", out, *flags)
    return process(*words, program=("-c", SAVING_SOON))


@contextmanager
def watched_steps() -> Iterator[Steps]:
    """What each step of this process is given meanwhile."""
    seen: Steps = {}
    step = Trainer.step

    def watched(self: Trainer, batch: Batch, number: int, rate: float) -> float:
        assert number not in seen
        seen[number] = len(batch), int(batch.targets.sum()), rate
        return step(self, batch, number, rate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", watched)
        yield seen


def perplexity(model: Path) -> tuple[float, float]:
    last = json.loads((model / "training.json").read_text())["perplexity"][-1]
    return last["forward"], last["backward"]
