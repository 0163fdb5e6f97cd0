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


@pytest.mark.parametrize(
    "command",
    ["plan", "embed", "verify", "inspect", "report", "models", "embed --help", "--version"],
)
def test_output_that_cannot_be_written_is_an_error_of_one_line(done: Job, command: str) -> None:
    words = command.split()
    if command in ("plan", "embed"):
        words += done.command()[1:]
    elif command == "models":
        words.append("default")
    elif not words[-1].startswith("--"):
        words.append(str(done.out))
    with open("/dev/full", "w") as full:
        elmo_beam(*words, stdout=full).refuses("cannot write standard output", "No space left")
    elmo_beam(*words).succeeds()


def test_output_that_is_lost_keeps_the_code_of_a_worse_error(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    with open("/dev/full", "w") as full:
        ran = elmo_beam("plan", *job.command("--max_tokens", "x")[1:], stdout=full)
    ran.refuses("--max_tokens", code=2)


def test_output_that_cannot_be_written_is_noticed_in_a_process_of_its_own(done: Job) -> None:
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "elmo_beam", "inspect", str(done.out)]
        ran = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "No space left on device" in ran.stderr


@pytest.mark.parametrize("command", ["embed --help", "inspect"])
def test_a_terminal_that_has_only_ascii_gets_an_answer(done: Job, command: str) -> None:
    words = [*command.split(), *([str(done.out)] if command == "inspect" else [])]
    process = started(words, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "caf" in out or "usage" in out


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_but_what_is_printed(closed: str) -> None:
    """`elmo-beam … 2>&-`: no traceback, and nothing of one stream in the other."""
    for words, code, stream in (("--version", 0, "out"), ("emebd", 2, "err")):
        line = f'exec "$0" -m elmo_beam {words} {closed}'
        ran = subprocess.run(
            ["sh", "-c", line, sys.executable], cwd=ROOT, capture_output=True, text=True
        )
        is_open = {"out": " >&-" not in f" {closed}", "err": "2>&-" not in closed}
        assert ran.returncode == code
        assert bool(ran.stdout) == (stream == "out" and is_open["out"])
        assert bool(ran.stderr) == (stream == "err" and is_open["err"])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_a_closed_streams_place_here_or_in_a_child(closed: str) -> None:
    """Libraries write to descriptor 2, whatever it is by then."""
    code = (
        "import os, subprocess, sys\n"
        "from elmo_beam.pipeline.terminal.console import prepare\n"
        "prepare()\n"
        "mine = os.open('/dev/null', os.O_RDONLY)\n"
        "child = 'import os, sys; sys.exit(os.open(\"/dev/null\", os.O_RDONLY))'\n"
        "theirs = subprocess.call([sys.executable, '-c', child], close_fds=True)\n"
        "sys.exit(0 if min(mine, theirs) > 2 else 1)\n"
    )
    line = f'exec "$0" -c "$1" {closed}'
    assert subprocess.call(["sh", "-c", line, sys.executable, code], cwd=ROOT) == 0
