"""The output folder: whose it is, what is written when a disk is full, what --overwrite deletes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import Job, elmo_beam, files_of, random_lines

Mount = Callable[..., Path]
SMALL_BLOCKS = ("--block_size", "2k")


class PowerCut(BaseException):
    """Stands for an end that no handler sees."""


def test_a_folder_that_is_a_file_is_refused(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    path = job.folder / "notes.txt"
    path.write_text("mine")
    job.embed("--output", path).refuses(path, "is a file")
    job.embed("--output", path / "below").refuses(path)
    assert path.read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_refused(job: Job, small_disk: Mount) -> None:
    job.file("a.txt", "One bank.\n")
    disk = small_disk(64, "ro")
    job.embed("--output", disk).refuses(disk, "Read-only")
    job.embed("--output", disk / "out").refuses(disk / "out", "Read-only")


def test_a_place_that_is_not_on_a_disk_is_refused(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed("--output", "/proc/elmo-beam").refuses("/proc/elmo-beam")


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    "theirs",
    ["thesis.tex", "run.json", "parts/theirs.parquet", "plan/x.json", "_SUCCESS", ".hidden"],
)
def test_somebody_elses_folder_is_refused_and_keeps_every_file(
    job: Job, theirs: str, overwrite: list[str]
) -> None:
    job.file("a.txt", "One bank.\n")
    path = job.out / theirs
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    job.embed(*overwrite).refuses(job.out, "not a run of elmo-beam")
    assert list(files_of(job.out)) == [theirs]
    assert path.read_text() == "{}"


@pytest.mark.parametrize("output", ["", "   "])
def test_an_empty_name_of_a_folder_does_not_mean_this_one(
    job: Job, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = job.folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    job.file("a.txt", "One bank.\n")
    job.embed("--output", output).refuses("--output", code=2)
    assert list(here.iterdir()) == []


def test_an_empty_folder_is_accepted(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.out.mkdir()
    job.embed().succeeds()


def test_overwrite_deletes_only_what_the_layout_names(job: Job) -> None:
    job.file("a.txt", "One bank.\nbad \n")
    job.embed().succeeds()
    foreign = ["notes.txt", "parts/mine.csv", "plan/todo.txt", "rejects/why.md", "blocks/x/y.json"]
    for name in foreign:
        path = job.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    job.embed("--overwrite", "--outputs", "default").succeeds()
    assert [(job.out / name).read_text() for name in foreign] == foreign
    assert job.manifest()["settings"]["outputs"] == ["default"]


def test_overwrite_with_inputs_that_are_not_there_deletes_nothing(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    before = files_of(job.out)
    job.embed("--overwrite", inputs=[job.folder / "no*"]).refuses("matches no file")
    job.embed("--overwrite", "--model", job.folder / "nowhere").refuses("nowhere")
    job.embed("--overwrite", "--outputs", "lstm_outputs9").refuses("lstm_outputs9", code=2)
    assert files_of(job.out) == before


def cut_after(n: int, monkeypatch: pytest.MonkeyPatch, *calls: tuple[Any, str]) -> list[str]:
    """Let n of some system calls pass, and raise PowerCut at the next; returns what was called."""
    made: list[str] = []

    def cut(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if len(made) >= n:
                raise PowerCut
            made.append(str(args[0]))
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    for module, name in calls:
        cut(module, name)
    return made


DELETING = [(os, "remove"), (os, "unlink"), (os, "rmdir"), (shutil, "rmtree")]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_an_overwrite_cut_off_at_any_deletion_never_passes_for_a_finished_run(
    job: Job, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.file("a.txt", b"One bank.\nbad \xff line\n")
    job.embed().succeeds()
    with monkeypatch.context() as patched:
        cut_after(n, patched, *DELETING)
        with pytest.raises(PowerCut):
            job.embed("--overwrite")
    job.embed().succeeds()
    assert job.rows()["text"].to_pylist() == ["One bank."]
    assert len(job.rejects()) == 1
    assert job.verify().code == 0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 6])
def test_a_run_cut_off_before_any_file_is_named_can_be_continued(
    job: Job, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files appear by renaming: settings, plan, rejects, part, accounts, manifest, success."""
    job.file("a.txt", b"One bank.\nbad \xff line\n")
    with monkeypatch.context() as patched:
        made = cut_after(n, patched, (os, "replace"))
        try:
            code = job.embed().code
        except PowerCut:
            code = None
    assert len(made) == n
    assert code != 0
    assert not job.success
    job.embed().succeeds()
    assert job.rows()["text"].to_pylist() == ["One bank."]
    assert len(job.rejects()) == 1
    assert len(list((job.out / "parts").iterdir())) == 1
    assert job.verify().code == 0


@pytest.mark.parametrize("output_format", ["parquet", "tfrecord"])
def test_a_full_disk_is_one_line_and_with_room_the_same_command_ends_the_job(
    job: Job, small_disk: Mount, output_format: str
) -> None:
    job.file("a.txt", random_lines(400))
    disk = small_disk(300)
    out = disk / "out"
    flags = (*SMALL_BLOCKS, "--outputs", "word_emb,elmo", "--format", output_format)
    job.embed(*flags, "--output", out).refuses(
        out, "No space left", "free some space", "same command"
    )
    assert not (out / "_SUCCESS").exists()
    before = files_of(out / "parts")
    assert before, "the disk was full too early for this test"
    blocks = list(files_of(out / "blocks"))
    whole = {name: before[f"{name[:-5]}.{output_format}"] for name in blocks}
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    job.embed(*flags, "--output", out).succeeds()
    after = files_of(out / "parts")
    assert {name: after[f"{name[:-5]}.{output_format}"] for name in blocks} == whole
    assert elmo_beam("verify", out).code == 0
    assert json.loads((out / "manifest.json").read_text())["lines"] == 400
    assert [p for p in out.rglob(".*") if p.is_file() and p.name != ".lock"] == []


def test_a_disk_full_from_the_start_is_used_once_there_is_room(job: Job, small_disk: Mount) -> None:
    job.file("a.txt", "One bank.\n")
    disk = small_disk(64)
    filler = disk / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1k", "count=100"], check=False)
    out = disk / "out"
    job.embed("--output", out).refuses(out, "No space left")
    filler.unlink()
    job.embed("--output", out).succeeds()


def test_a_full_disk_for_temporary_files_is_one_line(
    job: Job, small_disk: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of several passes wait in the system's temporary folder."""
    job.file("a.txt", random_lines(300))
    disk = small_disk(64)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    job.embed("--memory", "32k", "--outputs", "elmo").refuses("No space left")
    monkeypatch.undo()
    job.embed("--memory", "32k", "--outputs", "elmo").succeeds()
