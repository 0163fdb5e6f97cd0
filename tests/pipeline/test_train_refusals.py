"""What `elmo-beam train` refuses, each in one line, and what a full disk leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.command import elmo_beam, files_of
from tests.trainings import OPTIONS, train

Mount = Callable[..., Path]


@pytest.mark.parametrize("what", ["epochs", "options", "text", "tokenizer"])
def test_other_settings_on_the_same_folder_are_refused(
    trained: Path, learnable: Path, recipe: Path, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "model"
    shutil.copytree(trained, out)
    before = files_of(out)
    flags = {"--options": recipe, "--epochs": "8"}
    if what == "epochs":
        flags["--epochs"] = "5"
    elif what == "options":
        flags["--options"] = tmp_path / "other.json"
        (tmp_path / "other.json").write_text(json.dumps({**OPTIONS, "dropout": 0.5}))
    elif what == "text":
        learnable = shutil.copy(learnable, tmp_path / "other.txt")
    else:
        flags["--tokenizer"] = "whitespace"
    named = {"text": "--input"}.get(what, f"--{what}")
    words = [word for pair in flags.items() for word in pair]
    train(learnable, out, *words).refuses(out, "other settings", named)
    assert {n: f[1] for n, f in files_of(out).items()} == {n: f[1] for n, f in before.items()}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"dropout": 2}, ("dropout 2", "below 1")),
        ({"lstm": {**OPTIONS["lstm"], "dim": 3}}, ("projection_dim",)),
        ({"char_cnn": {}}, ("no field 'filters'",)),
        ("{", ("not the options.json",)),
        (None, ("cannot read --options", "No such file")),
    ],
)
def test_bad_options_are_one_line(
    learnable: Path, tmp_path: Path, change: object, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "bad.json"
    if change is not None:
        path.write_text(json.dumps({**OPTIONS, **change}) if isinstance(change, dict) else change)
    train(learnable, tmp_path / "model", "--options", path).refuses(path, *parts)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ("0 sentences to train on",)),
        (b"\n \n\xff\n", ("0 sentences to train on",)),
        (b"only one sentence\n", ("sentences to train on", "0 held out")),
    ],
)
def test_a_text_that_is_too_small_is_one_line(
    recipe: Path, tmp_path: Path, content: bytes, parts: tuple[str, ...]
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    train(tmp_path / "a.txt", tmp_path / "model", "--options", recipe).refuses(*parts)


def test_wrong_flags(learnable: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    for flags in (
        ("--epochs", "0"),
        ("--epochs", "many"),
        ("--options", recipe, "--init_from", "default"),
        ("--sampels", "3"),
    ):
        train(learnable, out, *flags).refuses(flags[0], code=2)
    elmo_beam("train", "--output", out).refuses("--input", code=2)
    elmo_beam("train", "--input", learnable).refuses("--output", code=2)
    train(learnable, out, "--init_from", tmp_path / "none").refuses(tmp_path / "none")
    train(tmp_path / "none.txt", out).refuses("none.txt", "no file")
    assert not out.exists()


def test_a_folder_that_is_another_s(learnable: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    train(learnable, out, "--options", recipe).refuses(out, "not empty")
    train(learnable, out / "thesis.tex", "--options", recipe).refuses(out, "is a file")
    train(learnable, "gs://bucket/model", "--options", recipe).refuses("gs://", "local folder")
    assert list(files_of(out)) == ["thesis.tex"]


def test_a_damaged_shard_stops_it_before_it_begins(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"\x1f\x8b not gzip")
    ran = train(tmp_path / "a.txt.gz", tmp_path / "model", "--options", recipe)
    ran.refuses("damaged", tmp_path / "a.txt.gz", "leave it out")


def test_a_loss_that_is_not_finite_is_one_line(learnable: Path, tmp_path: Path) -> None:
    """A model whose weights are too large for float32's arithmetic."""
    wild = {**OPTIONS, "lstm": {**OPTIONS["lstm"], "cell_clip": None, "proj_clip": None}}
    (tmp_path / "wild.json").write_text(
        json.dumps({**wild, "learning_rate_adam": 1.0, "all_clip_norm_val": 1e29})
    )
    first = tmp_path / "first"
    assert train(
        learnable, first, "--options", tmp_path / "wild.json", "--epochs", "0.05"
    ).code in (
        0,
        1,
    )
    with h5py.File(first / "weights.hdf5", "a") as file:
        for direction in (0, 1):
            file[f"RNN_{direction}/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"][:] = 3e38
    train(learnable, tmp_path / "model", "--init_from", first).refuses(
        "not finite", "learning_rate_adam"
    )


def test_a_full_disk_is_one_line_and_the_checkpoint_is_kept(
    learnable: Path, recipe: Path, small_disk: Mount
) -> None:
    disk = small_disk(290)  # room for the tokens and one checkpoint, not for a second beside it
    out = disk / "model"
    flags = ("--options", recipe, "--epochs", "15")
    ran = train(learnable, out, *flags)
    (line,) = [line for line in ran.err.splitlines() if line.startswith("elmo-beam:")]
    assert ran.code == 1, ran.err
    for part in ("No space left", out, "make room", "same command"):
        assert str(part) in line
    with np.load(out / "training" / "checkpoint.npz") as kept:
        at = json.loads(str(kept["state"]))["clock"]["step"]
    assert at > 0
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    assert train(learnable, out, *flags).code == 0
    assert json.loads((out / "training.json").read_text())["steps"] > at
