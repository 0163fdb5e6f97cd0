"""Output that nobody reads, that cannot be written, or whose encoding is narrow."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import ROOT, Job, elmo_beam


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Job:
    """A finished run."""
    job = Job(tmp_path_factory.mktemp("done"), model)
    job.file("a.txt", "One café.\nThe bank.\n")
    job.embed().succeeds()
    return job


def started(words: list[str], **environment: str) -> subprocess.Popen[str]:
    """The command with its output as a shell leaves it: buffered."""
    kept = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "elmo_beam", *words],
        cwd=ROOT,
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["inspect", "embed --help"])
def test_a_reader_that_leaves_gets_no_traceback(done: Job, command: str, unbuffered: str) -> None:
    """`elmo-beam inspect DIR | head -1`."""
    words = [*command.split(), *([str(done.out)] if command == "inspect" else [])]
    process = started(words, PYTHONUNBUFFERED=unbuffered)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_a_reader_that_leaves_changes_no_exit_code(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.file("b.txt.gz", "no gzip")
    read, write = os.pipe()
    os.close(read)
    with io.TextIOWrapper(os.fdopen(write, "wb", buffering=0), write_through=True) as nobody:
        ran = elmo_beam(*job.command(), stdout=nobody)
    ran.refuses("b.txt.gz")
    assert job.manifest()["complete"] is False


def test_output_that_cannot_be_written_is_one_line_at_most(done: Job) -> None:
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "elmo_beam", "inspect", str(done.out)]
        ran = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) <= 1
    assert ran.returncode in (0, 1)


@pytest.mark.parametrize("command", ["embed --help", "inspect"])
def test_a_terminal_that_has_only_ascii_gets_an_answer(done: Job, command: str) -> None:
    words = [*command.split(), *([str(done.out)] if command == "inspect" else [])]
    process = started(words, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "caf" in out or "usage" in out
