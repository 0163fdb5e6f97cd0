"""Which files a command reads: each once, and never what it writes itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.command import Job, elmo_beam, random_lines
from tests.helpers.trainings import sentences, train


def test_a_run_does_not_embed_its_own_output(job: Job) -> None:
    job.file("a.txt", "one bank\nbad \xff line\n".encode("latin-1"))
    job.file("b.jsonl", '{"text": "two banks"}\nno object\n')
    everything = [job.folder / "**"]
    for command in (job.embed, job.embed, lambda **named: job.embed("--overwrite", **named)):
        assert command(inputs=everything).code == 0
        assert elmo_beam("report", job.out).code == 0
        assert (job.rows().num_rows, len(job.rejects())) == (2, 2)
        planned = elmo_beam("plan", *job.command(inputs=everything)[1:]).succeeds()
        assert "2 in 1 block" in planned.out
    [reject, *_] = sorted((job.out / "rejects").iterdir())
    job.embed(inputs=[reject]).refuses(f"--input {reject} lies in --output {job.out}")
    job.embed("--output", job.folder, inputs=everything).refuses("matches only files in --output")


def test_a_training_does_not_read_its_own_vocabulary(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(sentences(300))
    flags = ("--options", recipe, "--epochs", "0.5")
    for _ in range(2):
        assert train(tmp_path / "**" / "*.txt", tmp_path / "model", *flags).code == 0
        assert (tmp_path / "model" / "vocab.txt").is_file()


def test_a_file_that_several_paths_lead_to_is_embedded_once_and_that_is_said(job: Job) -> None:
    path = job.file("data/a.txt", random_lines(3))
    latest, loop = path.parents[1] / "latest", path.parent / "loop"
    latest.symlink_to("data")
    loop.symlink_to(".")
    said = "each file is read once: 2 other paths to the same files are left out"
    pattern = path.parents[1] / "**" / "*.txt"
    for command in ("embed", "plan"):
        ran = elmo_beam(command, *job.command(inputs=[pattern])[1:]).succeeds()
        assert f"{said} ({loop}, {latest})" in ran.out.splitlines()
    assert set(job.rows()["shard"].to_pylist()) == {str(path)}
    assert job.rows().num_rows == 3
    latest.unlink()
    loop.unlink()
    assert said not in job.embed(inputs=[pattern]).succeeds().out


def test_a_pipe_is_one_line_and_costs_no_other_file(job: Job) -> None:
    good = job.file("a.txt", "one bank\n")
    os.mkfifo(job.folder / "in" / "pipe.txt")
    parts = (f"damaged: {job.folder}/in/pipe.txt is a pipe", "save its text to a file")
    job.embed().refuses(*parts)
    assert job.rows().num_rows == 1
    elmo_beam("plan", *job.command()[1:]).refuses(*parts)
    train(job.folder / "in" / "pipe.txt", job.folder / "model").refuses("is a pipe", "pipe.txt")
    job.embed(inputs=[good]).succeeds()


def test_file_urls_and_the_home_folder_are_local_paths(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(job.folder))
    path = job.file("a b.txt", "one bank\n")
    for named, output in (
        ("~/in/*.txt", "~/out"),
        (path.as_uri(), job.out.as_uri()),
        (f"file://localhost{job.folder}/in/*.txt", f"file://localhost{job.out}/"),
    ):
        flags = (f"--input={named}", f"--output={output}", f"--model={Path(job.model).as_uri()}")
        ran = elmo_beam("embed", *flags).succeeds()
        assert f"{job.out}" in ran.out
        assert elmo_beam("verify", output).succeeds()
    assert set(job.rows()["shard"].to_pylist()) == {str(path)}
    assert elmo_beam("plan", "--input=~/in/*").succeeds()
    elmo_beam("plan", "--input", "file://in/a.txt").refuses("--input", "file:///", code=2)


def test_an_output_that_no_filesystem_is_for_is_refused(job: Job) -> None:
    job.file("a.txt", "one\n")
    for output in ("https://host/out", "hf://datasets/a/b/out"):
        job.embed("--output", output).refuses(f"--output {output} cannot be written to", "s3://")
