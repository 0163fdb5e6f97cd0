"""What `elmo-beam train` refuses, each in one line, and what a full disk leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.pipeline.training import session, start
from tests.helpers.command import elmo_beam, files_of, write_model
from tests.helpers.trainings import OPTIONS, due_soon, sentences, train

Mount = Callable[..., Path]


@pytest.mark.parametrize("what", ["epochs", "options", "text", "tokenizer"])
def test_other_settings_on_the_same_folder_are_refused(
    trained: Path, learnable: Path, recipe: Path, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "model"
    shutil.copytree(trained, out)
    before = files_of(out)
    flags: dict[str, object] = {"--options": recipe, "--epochs": "8"}
    if what == "epochs":
        flags["--epochs"] = "5"
    elif what == "options":
        flags["--options"] = tmp_path / "other.json"
        (tmp_path / "other.json").write_text(json.dumps({**OPTIONS, "dropout": 0.5}))
    elif what == "text":
        learnable = Path(shutil.copy(learnable, tmp_path / "other.txt"))
    else:
        flags["--tokenizer"] = "whitespace"
    named = {
        "epochs": ("--epochs 8.0, now 5.0",),
        "options": ("--options dropout 0.1, now 0.5",),
        "text": ("--input", "other.txt null, now", "now null"),
        "tokenizer": ('--tokenizer "moses", now "whitespace"',),
    }[what]
    words = [word for pair in flags.items() for word in pair]
    train(learnable, out, *words).refuses(out, "other settings", *named)
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
    learnable: Path, tmp_path: Path, change: dict[str, Any] | str | None, parts: tuple[str, ...]
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
        (b"only one sentence\n", ("1 sentence to train on", "0 held out")),
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
        ("--epochs", "1e300"),
        ("--sampels", "3"),
    ):
        train(learnable, out, *flags).refuses(flags[0], code=2)
    elmo_beam("train", "--output", out).refuses("--input", code=2)
    elmo_beam("train", "--input", learnable).refuses("--output", code=2)
    train(learnable, out, "--init_from", tmp_path / "none").refuses(tmp_path / "none")
    train(tmp_path / "none.txt", out).refuses("none.txt", "no file")
    assert not out.exists()


def test_a_folder_that_is_somebody_elses(learnable: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    train(learnable, out, "--options", recipe).refuses(out, "not empty")
    train(learnable, out / "thesis.tex", "--options", recipe).refuses(out, "is a file")
    train(learnable, "gs://bucket/model", "--options", recipe).refuses("gs://", "local folder")
    assert list(files_of(out)) == ["thesis.tex"]


def test_a_folder_of_theirs_that_has_a_training_folder(
    learnable: Path, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "notes.txt").write_text("mine")
    before = files_of(tmp_path)
    train(learnable, tmp_path, "--options", recipe).refuses(tmp_path, "not empty")
    assert files_of(tmp_path) == before


def test_a_damaged_shard_stops_it_before_it_begins(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"\x1f\x8b not gzip")
    ran = train(tmp_path / "a.txt.gz", tmp_path / "model", "--options", recipe)
    ran.refuses("damaged", tmp_path / "a.txt.gz", "leave it out")


def test_what_is_wrong_can_be_corrected(recipe: Path, tmp_path: Path) -> None:
    """Before the first checkpoint nothing is fixed: flags and files may change."""
    path, out = tmp_path / "a.txt", tmp_path / "model"
    path.write_text("only one sentence\n")
    flags = ("--options", recipe, "--epochs", "0.5")
    train(path, out, *flags).refuses("some hundred")
    path.write_text(sentences(300))
    assert train(path, out, *flags).code == 0


def test_an_input_that_is_a_broken_link(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "nowhere")
    ran = train(tmp_path / "a.txt", tmp_path / "model", "--options", recipe)
    ran.refuses(tmp_path / "a.txt", "No such file", "leave the file out")


def test_options_of_another_shape_than_init_from(
    trained: Path, learnable: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**OPTIONS, "lstm": {**OPTIONS["lstm"], "dim": 13}}))
    flags = ("--init_from", trained, "--options", path)
    train(learnable, tmp_path / "model", *flags).refuses(path, trained, "another shape")


def test_more_memory_than_there_is(
    learnable: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> None:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr(start, "initial_arrays", too_much)
    ran = train(learnable, tmp_path / "model", "--options", recipe)
    ran.refuses("out of memory", "3 TiB", "lstm dim")


def test_more_parameters_than_any_elmo_has(learnable: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    huge = {**OPTIONS["lstm"], "dim": 1 << 24, "projection_dim": 1 << 24}
    path.write_text(json.dumps({**OPTIONS, "lstm": huge}))
    train(learnable, tmp_path / "model", "--options", path).refuses(path, "parameters")


def test_a_loss_that_is_not_finite_is_one_line_and_keeps_what_there_was(
    learnable: Path, recipe: Path, tmp_path: Path
) -> None:
    wild, model = tmp_path / "wild.json", tmp_path / "model"
    unbound = {**OPTIONS["lstm"], "cell_clip": None, "proj_clip": None}
    options = {**OPTIONS, "lstm": unbound}
    wild.write_text(json.dumps({**options, "learning_rate_adam": 1.0, "all_clip_norm_val": 1e29}))
    begun = write_model(tmp_path / "start", parse_options(json.dumps(options), "options"))
    with h5py.File(begun / "weights.hdf5", "a") as file:
        for direction in (0, 1):
            file[f"RNN_{direction}/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"][:] = 3e38
    flags = ("--init_from", begun, "--options", wild)
    train(learnable, model, *flags).refuses("not finite", "step 1:", "learning_rate_adam")
    assert not (model / "weights.hdf5").exists()
    assert not (model / "training" / "checkpoint.npz").exists()


def test_a_full_disk_is_one_line_and_the_checkpoint_is_kept(
    learnable: Path, recipe: Path, small_disk: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "Due", due_soon)
    disk = small_disk(230)  # room for the tokens and one checkpoint, not for a second beside it
    out = disk / "model"
    flags = ("--options", recipe, "--epochs", "3")
    ran = train(learnable, out, *flags)
    (line,) = [line for line in ran.err.splitlines() if line.startswith("elmo-beam:")]
    assert ran.code == 1, ran.err
    for part in ("No space left", out, "free some space", "same command"):
        assert str(part) in line
    with np.load(out / "training" / "checkpoint.npz") as kept:
        at = json.loads(str(kept["state"]))["clock"]["step"]
    assert at > 0
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    assert train(learnable, out, *flags).code == 0
    assert json.loads((out / "training.json").read_text())["steps"] > at
