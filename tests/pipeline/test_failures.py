"""A job that failed, in one line: its cause, without what a runner adds to it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import elmo_beam
from elmo_beam.elmo.errors import UserError
from elmo_beam.pipeline.cli import run
from elmo_beam.pipeline.job import failures
from elmo_beam.pipeline.job.failures import explained
from elmo_beam.transforms.files.layout import layout_of
from elmo_beam.transforms.worker_errors import MARK
from tests.helpers.command import Job, random_lines

STEP = " [while running 'Job/WriteBlocks']"


@pytest.mark.parametrize("text", ["a bug", "first\na bug", "first\na bug\n", "\na bug\n\n"])
@pytest.mark.parametrize("steps", ["", STEP, STEP + " [while running 'b']"])
def test_the_line_ends_with_the_cause_and_not_with_the_step(
    tmp_path: Path, text: str, steps: str
) -> None:
    line = str(explained(ValueError(text + steps), layout_of(str(tmp_path))))
    assert line.startswith("the job failed (ValueError: a bug): the traceback is in ")
    assert (tmp_path / "error.log").read_text().strip().endswith((text + steps).strip())


def test_an_error_without_a_text_has_its_name(tmp_path: Path) -> None:
    line = str(explained(ValueError(), layout_of(str(tmp_path))))
    assert line.startswith("the job failed (ValueError): the traceback is in ")


def test_a_users_error_keeps_a_step_in_its_own_text(tmp_path: Path) -> None:
    error = RuntimeError(f"{MARK}\"a file 'x'{STEP}\"{STEP}")
    assert str(explained(error, layout_of(str(tmp_path)))) == f"a file 'x'{STEP}"


def test_a_traceback_that_cannot_be_kept_does_not_hide_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("cannot write error.log (No space left on device)")

    monkeypatch.setattr(failures, "write_bytes", refuse)
    line = str(explained(OSError("a bug" + STEP), layout_of(str(tmp_path))))
    assert "the job failed (OSError: a bug)" in line
    assert "No space left on device" in line


def test_a_job_for_want_of_memory_says_so_without_a_log(tmp_path: Path) -> None:
    error = ImportError("libtensorflow_cc.so.2: failed to map segment from shared object" + STEP)
    line = str(explained(error, layout_of(str(tmp_path))))
    assert line.startswith(
        "out of memory (libtensorflow_cc.so.2: failed to map segment from shared object): "
    )
    assert "the same command continues" in line
    assert not (tmp_path / "error.log").exists()


@pytest.mark.parametrize("error", [MemoryError(), ImportError("a.so: failed to map segment")])
def test_a_command_for_want_of_memory_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("elmo_beam.pipeline.job.verification.verify", fail)
    assert run(["verify", "out"]) == 1
    shown = capfd.readouterr().err
    assert shown.startswith("elmo-beam: out of memory (") and len(shown.splitlines()) == 1


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("elmo_beam.pipeline.job.verification.verify", fail)
    with pytest.raises(KeyError):
        run(["verify", "out"])


def test_a_full_folder_for_temporary_files_is_named(
    job: Job, small_disk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(64)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    job.file("a.txt", random_lines(400))
    job.embed().refuses(f"temporary files in {disk}", "No space left", "TMPDIR")


def test_a_folder_for_temporary_files_that_is_gone_is_named(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = job.folder / "gone"
    monkeypatch.setattr(tempfile, "tempdir", str(gone))
    job.file("a.txt", "One bank.\n")
    job.embed().refuses(f"temporary files in {gone}", "No such file", "TMPDIR")
    with pytest.raises(UserError, match="TMPDIR"):
        elmo_beam.embed(str(job.folder / "in" / "a.txt"), str(job.out), model=str(job.model))
