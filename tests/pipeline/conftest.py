"""A small model, and a job to run it on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.command import Job, write_model
from tests.helpers.encoders import shared_encoders
from tests.helpers.trainings import OPTIONS, Steps, sentences, train, watched_steps


@pytest.fixture(scope="module", autouse=True)
def _shared_encoders() -> Iterator[None]:
    with shared_encoders():
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of random weights, in the published layout."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def job(tmp_path: Path, model: Path) -> Job:
    """An empty job."""
    return Job(tmp_path, model)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a disk of its own, of so many KiB; only root may."""
    mounted: list[Path] = []

    def mount(kilobytes: int, *options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={kilobytes}k", *options])]
        try:
            done = subprocess.run([*words, "tmpfs", folder], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount command here")
        if done.returncode:
            pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def learnable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "shard.txt"
    path.write_text(sentences(1000))
    return path


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("options") / "options.json"
    path.write_text(json.dumps(OPTIONS))
    return path


@pytest.fixture(scope="session")
def watched_training(
    tmp_path_factory: pytest.TempPathFactory, learnable: Path, recipe: Path
) -> tuple[Path, Steps]:
    """A trained model, and the steps of its training."""
    out = tmp_path_factory.mktemp("trained") / "model"
    with watched_steps() as steps:
        ran = train(learnable, out, "--options", recipe, "--epochs", "8")
    assert ran.code == 0, ran.err
    assert "1,000 lines (0 blank, 0 rejected), 1,000 sentences" in ran.out
    assert "vocabulary of 33 words (the text has no more; n_tokens_vocab is 40)" in ran.out
    return out, steps


@pytest.fixture(scope="session")
def trained(watched_training: tuple[Path, Steps]) -> Path:
    return watched_training[0]
