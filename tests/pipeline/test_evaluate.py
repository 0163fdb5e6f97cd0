"""`elmo-beam evaluate`, from the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from elmo_beam.elmo import pos_probe
from tests.helpers.command import elmo_beam, write_model

TAGS = {"the": "DET", "a": "DET", "cat": "NOUN", "dog": "NOUN", "ran": "VERB", "sat": "VERB"}


@pytest.fixture(autouse=True)
def _fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A toy language needs no more steps to fit a probe, if they are larger."""
    monkeypatch.setattr(pos_probe, "FIT_STEPS", 300)
    monkeypatch.setattr(pos_probe, "RATE", 0.1)


def conllu(sentences: int, seed: int) -> str:
    """Sentences of a toy language, in which a word's tag is known."""
    rng, lines = random.Random(seed), []
    for _ in range(sentences):
        for position in range(3):
            word = rng.choice(list(TAGS))
            lines.append(f"{position + 1}\t{word}\t_\t{TAGS[word]}" + "\t_" * 6)
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.fixture
def treebank(tmp_path: Path) -> list[object]:
    """The flags that name three files of it."""
    flags: list[object] = []
    for seed, part in enumerate(("train", "dev", "test"), 1):
        path = tmp_path / f"{part}.conllu"
        path.write_text(conllu(300, seed))
        flags += [f"--conllu_{part}", path]
    return flags


def test_the_probe_in_a_table_and_as_json(
    model: Path, treebank: list[object], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    flags = ("--model", model, "--sentences", "200", "--output", report)
    ran = elmo_beam("evaluate", *flags, *treebank).succeeds()
    found = json.loads(report.read_text())["probe"]
    assert found["sentences"] == {"train": 200, "dev": 300, "test": 300}
    assert found["tokens"] == {"train": 600, "dev": 900, "test": 900}
    names = ["majority tag", "word_emb", "lstm_outputs1", "lstm_outputs2", "elmo"]
    assert list(found["accuracy"]) == names
    for name, by_part in found["accuracy"].items():
        # Each word has only one tag, so the word alone tells it.
        least = 1.0 if name in ("majority tag", "word_emb") else 0.8
        assert min(by_part.values()) >= least, name
        (line,) = [line for line in ran.out.splitlines() if line.startswith(f"{name} ")]
        assert line.split()[-3:-1] == [f"{by_part[part]:.1%}" for part in ("dev", "test")]
        assert "█" in line
    assert "fit on 200 sentences" in ran.out


def test_what_the_baseline_cannot_know(model: Path, tmp_path: Path) -> None:
    """Half of the words of the test are new, and their tag is not the most common one."""
    train = "\n".join(f"1\tw\t_\t{t}" + "\t_" * 6 + "\n" for t in ("NOUN", "NOUN", "VERB"))
    test = "\n".join(
        f"1\t{w}\t_\t{t}" + "\t_" * 6 + "\n" for w, t in (("w", "NOUN"), ("x", "VERB"))
    )
    for name, text in (("train", train), ("test", test)):
        (tmp_path / name).write_text(text)
    report = tmp_path / "report.json"
    elmo_beam(
        "evaluate", "--model", model, "--conllu_train", tmp_path / "train",
        "--conllu_test", tmp_path / "test", "--output", report,
    ).succeeds()  # fmt: skip
    accuracy = json.loads(report.read_text())["probe"]["accuracy"]
    assert accuracy["majority tag"] == {"test": 0.5}
    assert accuracy["word_emb"]["test"] in (0.5, 1.0, 0.0)


def test_a_model_without_a_softmax_says_why_there_is_no_perplexity(
    tmp_path: Path, treebank: list[object]
) -> None:
    model = write_model(tmp_path / "bare")
    (tmp_path / "a.txt").write_text("Some text.\n")
    flags = ("--model", model, "--input", tmp_path / "a.txt")
    elmo_beam("evaluate", *flags).refuses(model, "no softmax", "elmo-beam train", "--conllu_train")
    with_probe = elmo_beam("evaluate", *flags, *treebank)
    with_probe.refuses(model, "no softmax")  # and yet the probe is there
    assert "lstm_outputs1" in with_probe.out
    default = elmo_beam("evaluate", "--model", "default", *flags[2:])
    default.refuses("--model default ships without its softmax", "elmo-beam train")


def test_wrong_flags_and_files(model: Path, treebank: list[object], tmp_path: Path) -> None:
    evaluate = ("evaluate", "--model", model)
    elmo_beam(*evaluate).refuses("nothing to measure", code=2)
    elmo_beam(*evaluate, *treebank[:2]).refuses("go together", code=2)
    elmo_beam(*evaluate, *treebank[2:4], "--input", "x").refuses("--conllu_dev", code=2)
    elmo_beam(*evaluate, *treebank, "--sentences", "0").refuses("--sentences", code=2)
    elmo_beam(*evaluate, *treebank, "--conllu_test", tmp_path / "no").refuses(tmp_path / "no")
    (tmp_path / "text").write_text("no conllu\n")
    elmo_beam(*evaluate, *treebank, "--conllu_dev", tmp_path / "text").refuses("line 1")
    elmo_beam(*evaluate, "--input", tmp_path / "none").refuses("matches no file")
    elmo_beam("evaluate", "--model", tmp_path / "gone", *treebank).refuses(tmp_path / "gone")
    elmo_beam(*evaluate, "--input", "x", "--sentences", "5").refuses("--sentences", code=2)
    for output in (tmp_path / "none" / "f.json", "gs://bucket/f.json"):
        elmo_beam(*evaluate, *treebank, "--output", output).refuses(output, "no such local folder")
    elmo_beam(*evaluate, *treebank, "--output", tmp_path).refuses(tmp_path, "name a file")


def test_a_text_without_a_sentence(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    flags = ("evaluate", "--model", trained, "--input", tmp_path / "empty.txt")
    elmo_beam(*flags).refuses("empty.txt", "no sentence to predict")


def test_a_probe_that_is_always_right(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.conllu"
    path.write_text("1\tyes\t_\tINTJ" + "\t_" * 6 + "\n")
    flags = ("--conllu_train", path, "--conllu_test", path)
    ran = elmo_beam("evaluate", "--model", model, *flags).succeeds()
    assert "from 95% to 100%" in ran.out and ran.out.count("100.0%") == 5
