"""`elmo-beam elmo`: AllenNLP's flags, layout and values (from a zero state)."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from tests.helpers.command import Ran, elmo_beam, ended, process, random_lines, wait_for
from tests.helpers.oracle import Oracle

LINES = ["The bank  of the river .", "\tYes /\t", "café \u2028 x", "<S> a </S> <s> </s"]
WORDS = [line.split() for line in LINES]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def command(text: Path, out: Path, model: Path, *flags: object) -> Ran:
    files = ("--options-file", model / "options.json", "--weight-file", model / "weights.hdf5")
    return elmo_beam("elmo", text, out, *files, *flags)


def layers(model: Path) -> list[np.ndarray]:
    """By sentence: [3, tokens, dim]."""
    oracle = Oracle(read_bilm(model), boundary_tokens=True)
    found = []
    for words in WORDS:
        vectors = oracle.encode(words)
        tokens = np.concatenate([vectors["word_emb"]] * 2, axis=1)
        found.append(np.stack([tokens, vectors["lstm_outputs1"], vectors["lstm_outputs2"]]))
    return found


@pytest.mark.parametrize("which", ["--all", "--top", "--average"])
def test_the_layers_by_line(text: Path, tmp_path: Path, model: Path, which: str) -> None:
    out = tmp_path / "out.hdf5"
    ignored = ("--batch-size", "2", "--cuda-device", "-1", "--vocab-path", "v")
    command(text, out, model, which, *ignored, "--file-friendly-logging").succeeds()
    with h5py.File(out) as file:
        assert set(file) == {"0", "1", "2", "3", "sentence_to_index"}
        for i, want in enumerate(layers(model)):
            want = {"--all": want, "--top": want[-1], "--average": want.mean(axis=0)}[which]
            assert file[str(i)].dtype == np.float32
            np.testing.assert_allclose(file[str(i)], want, rtol=0, atol=1e-5)
        index = file["sentence_to_index"]
        assert index.shape == (1,)
        assert json.loads(index[0]) == {line.strip(): str(i) for i, line in enumerate(LINES)}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.txt", "out.hdf5"]


def test_sentences_as_keys_or_forgotten(tmp_path: Path, model: Path) -> None:
    text, out = tmp_path / "in.txt", tmp_path / "out.hdf5"
    text.write_text("One two .\nThree .")
    command(text, out, model, "--top", "--use-sentence-keys").succeeds()
    with h5py.File(out) as file:
        assert set(file) == {"One two .", "Three ."}
        assert file["Three ."].shape == (2, 8)
    command(text, out, model, "--top", "--forget-sentences").succeeds()
    with h5py.File(out) as file:
        assert set(file) == {"0", "1"}


def test_the_default_model(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("One two\n" * 3)
    elmo_beam("elmo", tmp_path / "in.txt", tmp_path / "out.hdf5", "--all").succeeds()
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert file["2"].shape == (3, 2, 256)


def test_the_authors_own_model(bilm_tf: Path, tmp_path: Path) -> None:
    """Their sentences from a zero state; their own top layer where they began with one."""
    lists = json.loads((bilm_tf / "lm_embeddings_sentences.json").read_text())
    text, out = tmp_path / "in.txt", tmp_path / "out.hdf5"
    text.write_text("\n".join(sentence for part in lists for sentence in part), encoding="utf-8")
    options, weights = bilm_tf / "options.json", bilm_tf / "lm_weights.hdf5"
    files = ("--options-file", options, "--weight-file", weights)
    elmo_beam("elmo", text, out, "--all", *files).succeeds()
    with h5py.File(out) as got, np.load(bilm_tf / "zero_state.npz") as want:
        for i in range(30):
            np.testing.assert_allclose(got[str(i)], want[str(i)], rtol=0, atol=1e-6)
        with h5py.File(bilm_tf / "lm_embeddings_0.hdf5") as theirs:
            both = np.concatenate(list(theirs["0"]), axis=1)  # directions side by side
            np.testing.assert_allclose(got["0"][2], both, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ("empty lines (0)",)),
        (b"\xef\xbb\xbf\none\n", ("empty lines (0)",)),
        (b"one\n\n \nfour\n", ("empty lines (1, 2)",)),
        (b"one\n\xff\n", ("not UTF-8", "byte 4")),
        (b"one\n\xef\xbb\xbf\n", ("empty lines (1)",)),
        ("one two\n".encode("utf-16-le"), ("not UTF-8 text", "UTF-16")),
        (b"a " * 600_000, ("line 0", "over 1 MiB")),
    ],
)
def test_lines_that_allennlp_would_refuse(
    tmp_path: Path, model: Path, content: bytes, parts: tuple[str, ...]
) -> None:
    (tmp_path / "in.txt").write_bytes(content)
    command(tmp_path / "in.txt", tmp_path / "out.hdf5", model, "--all").refuses(*parts)
    assert [p.name for p in tmp_path.iterdir()] == ["in.txt"]


def test_wrong_flags_and_files(text: Path, tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out.hdf5"
    keys = ("--all", "--use-sentence-keys")
    command(text, out, model, *keys).refuses("line 1", "cannot be a name", "--use-sentence-keys")
    (tmp_path / "twice.txt").write_text("a b\nc\na b\n")
    command(tmp_path / "twice.txt", out, model, *keys).refuses("line 2", "twice")
    elmo_beam("elmo", text, out).refuses("--all", code=2)
    elmo_beam("elmo", text, out, "--all", "--top").refuses("--top", code=2)
    beam = ("--runner", "FlinkRunner")
    elmo_beam("elmo", text, out, "--all", *beam).refuses("unknown flag --runner", code=2)
    half = ("--all", "--options-file", text)
    elmo_beam("elmo", text, out, *half).refuses("--weight-file", "go together", code=2)
    command(text, tmp_path / "none" / "out.hdf5", model, "--all").refuses("none", "a folder")
    command(tmp_path / "none.txt", out, model, "--all").refuses("none.txt", "No such file")
    command(text, out, tmp_path, "--all").refuses("no file", "options.json")
    (tmp_path / "link.txt").symlink_to(text)
    for same in (text, tmp_path / "link.txt"):
        command(text, same, model, "--all").refuses(same, "is the input", "another file")
    assert text.read_text(encoding="utf-8") == "\n".join(LINES) + "\n"
    assert not out.exists() and not list(tmp_path.glob(".elmo*"))


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, model: Path, small_disk: Callable[..., Path]
) -> None:
    text, disk = tmp_path / "in.txt", small_disk(700)  # room for the vectors, not for the file too
    text.write_text(random_lines(400))
    out = disk / "out.hdf5"
    command(text, out, model, "--all").refuses(f"cannot write {out} (No space left", "free some")
    assert list(disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    command(text, out, model, "--all").succeeds()
    assert [path.name for path in disk.iterdir()] == ["out.hdf5"]


def test_a_closed_terminal_leaves_nothing_behind(tmp_path: Path, model: Path) -> None:
    text, out = tmp_path / "in.txt", tmp_path / "out.hdf5"
    text.write_text(random_lines(20_000))
    files = ("--options-file", model / "options.json", "--weight-file", model / "weights.hdf5")
    started = process(
        "elmo", text, out, "--all", *files,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # as not under nohup
    )  # fmt: skip
    wait_for(lambda: any(tmp_path.glob(".elmo-beam-*/run/blocks/*.json")), 120)
    started.send_signal(signal.SIGHUP)
    ran = ended(started, 5)
    assert (ran.code, ran.complaints) == (129, ["elmo-beam: stopped; nothing was written"])
    assert [p.name for p in tmp_path.iterdir()] == ["in.txt"]
