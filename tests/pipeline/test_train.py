"""`elmo-beam train`, from the command line: what it writes, and how it resumes."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from elmo_beam import Settings
from elmo_beam.elmo.encoder.precision import why_not_bfloat16
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from elmo_beam.transforms.corpus import read_corpus
from tests.helpers.command import elmo_beam, ended, files_of, read_rows, vectors, wait_for
from tests.helpers.oracle import Oracle
from tests.helpers.trainings import OPTIONS, Steps, perplexity, train, training, watched_steps


def test_it_learns_what_follows_what(trained: Path) -> None:
    for value in perplexity(trained):
        assert 1.5 < value < 15  # of 33 words; two may follow each


def test_its_figures_say_in_which_precision(trained: Path) -> None:
    found = json.loads((trained / "training.json").read_text())["perplexity"]
    wanted = "float32" if why_not_bfloat16() else "bfloat16"
    assert {each["precision"] for each in found} == {wanted}


def test_the_model_is_in_the_published_layout(trained: Path) -> None:
    written = json.loads((trained / "options.json").read_text())
    assert {**OPTIONS, **written} == written  # ours, and what was left unsaid
    words = (trained / "vocab.txt").read_text().split("\n")
    assert words[:3] == ["<S>", "</S>", "<UNK>"]
    assert sorted(words[3:]) == sorted(["", *(f"w{i}" for i in range(30))])
    with h5py.File(trained / "weights.hdf5") as file:
        assert file["char_embed"].shape == (261, 4)
        assert file["RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"].shape == (12, 6)
    with h5py.File(trained / "softmax.hdf5") as file:
        assert (file["W"].shape, file["b"].shape) == ((33, 6), (33,))


def test_embed_takes_it_and_gives_the_oracles_vectors(trained: Path, tmp_path: Path) -> None:
    lines = ["w1 w2 w4", "w7 never seen"]
    (tmp_path / "in.txt").write_text("\n".join(lines))
    out = tmp_path / "out"
    elmo_beam(
        "embed", "--input", tmp_path / "in.txt", "--output", out, "--model", trained,
        "--outputs", "elmo,lstm_outputs2",
    ).succeeds()  # fmt: skip
    want = Oracle(read_bilm(trained)).encode_all([line.split() for line in lines])
    for name in ("elmo", "lstm_outputs2"):
        np.testing.assert_allclose(vectors(read_rows(out), name), want[name], rtol=0, atol=1e-5)


def test_the_same_command_on_a_finished_model_trains_no_more(
    trained: Path, learnable: Path, recipe: Path
) -> None:
    before = files_of(trained)
    ran = train(learnable, trained, "--options", recipe, "--epochs", "8").succeeds()
    assert "held-out perplexity" in ran.out
    changed = {n for n, f in files_of(trained).items() if f[1] != before[n][1]}
    assert changed == set()


def test_evaluate_finds_the_perplexity_again(
    trained: Path, learnable: Path, tmp_path: Path
) -> None:
    """Of the held-out sentences alone, by the definition of what is held out."""
    corpus = read_corpus([str(learnable)], Settings(), None, lambda _: None)
    lists = corpus.sentences.to_lists()
    held = [" ".join(s) for s, out in zip(lists, corpus.held_out, strict=True) if out]
    (tmp_path / "held.txt").write_text("\n".join(held))
    report = tmp_path / "report.json"
    elmo_beam(
        "evaluate", "--model", trained, "--input", tmp_path / "held.txt", "--output", report
    ).succeeds()
    found = json.loads(report.read_text())["perplexity"]
    assert (found["forward"], found["backward"]) == pytest.approx(perplexity(trained), rel=1e-5)


def test_killed_and_then_stopped_by_ctrl_c_it_ends_as_an_unbroken_training_does(
    watched_training: tuple[Path, Steps], learnable: Path, recipe: Path, tmp_path: Path
) -> None:
    unbroken, whole = watched_training
    out = tmp_path / "killed"
    flags = ("--options", recipe, "--epochs", "8")
    checkpoint = out / "training" / "checkpoint.npz"
    killed = training(learnable, out, *flags)
    wait_for(checkpoint.exists, 120)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = checkpoint.stat().st_mtime_ns
    stopped = training(learnable, out, *flags)
    wait_for(lambda: checkpoint.stat().st_mtime_ns > before, 120)
    stopped.send_signal(signal.SIGINT)
    ran = ended(stopped, 5)
    assert ran.code == 130, "stopped too late for this test" if ran.code == 0 else ran.err
    (line,) = [line for line in ran.err.splitlines() if line.startswith("elmo-beam:")]
    assert "checkpoint at step" in line and "the same command continues" in line
    assert "Traceback" not in ran.err
    with np.load(checkpoint) as kept:
        at = json.loads(str(kept["state"]))["clock"]["step"]
    with watched_steps() as steps:
        assert train(learnable, out, *flags).code == 0
    assert 0 < at < len(whole), "killed too early or too late for this test"
    assert steps == {number: given for number, given in whole.items() if number > at}
    assert perplexity(out) == pytest.approx(perplexity(unbroken), rel=0.01)


def test_a_training_that_is_one_step_learns(learnable: Path, recipe: Path, tmp_path: Path) -> None:
    with watched_steps() as steps:
        assert train(learnable, tmp_path / "m", "--options", recipe, "--epochs", "0.001").code == 0
    ((_, _, rate),) = steps.values()
    assert rate == OPTIONS["learning_rate_adam"]


def test_init_from_starts_from_weights_and_softmax(
    trained: Path, learnable: Path, tmp_path: Path
) -> None:
    fresh, more, slow = tmp_path / "fresh", tmp_path / "more", tmp_path / "slow.json"
    slow.write_text(json.dumps({**OPTIONS, "learning_rate_adam": 1e-6}))
    shutil.copytree(trained, fresh, ignore=shutil.ignore_patterns("training", "softmax.hdf5"))
    for model in (fresh, trained):
        ran = train(learnable, more, "--init_from", model, "--options", slow, "--epochs", "0.01")
        assert ran.code == 0, ran.err
        if model == trained:  # hardly trained on, it knows what it knew
            assert perplexity(more) == pytest.approx(perplexity(trained), rel=0.001)
        else:  # a softmax that begins anew knows nothing yet
            assert min(perplexity(more)) > 1.5 * max(perplexity(trained))
        shutil.rmtree(more)


def test_a_finished_models_files_are_written_again_if_they_are_gone(
    trained: Path, learnable: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    shutil.copytree(trained, out)
    for name in ("weights.hdf5", "training.json"):
        (out / name).unlink()
    assert train(learnable, out, "--options", recipe, "--epochs", "8").code == 0
    assert perplexity(out) == perplexity(trained)
    got, want = (read_bilm(folder).arrays for folder in (out, trained))
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])
