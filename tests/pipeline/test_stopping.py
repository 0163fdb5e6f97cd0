"""Ctrl-C, SIGTERM, kill -9 and two runs at once, on real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.helpers.command import (
    MULTI_PROCESSING,
    Job,
    Ran,
    alive,
    assert_same_rows,
    descendants,
    done_blocks,
    ended,
    files_of,
    random_lines,
    running,
    wait_for,
)

FLAGS = ("--block_size", "1k", "--outputs", "elmo,default")
LINES = 1200  # some 85 blocks
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Job:
    """An unbroken run."""
    job = Job(tmp_path_factory.mktemp("whole"), model)
    job.file("a.txt", random_lines(LINES))
    job.file("b.txt", b"bad \xff line\n" * 20)
    job.embed(*FLAGS).succeeds()
    return job


@pytest.fixture
def broken(whole: Job) -> Job:
    """The same job with a folder of its own, to be stopped in the middle."""
    job = replace(whole, out_name="broken")
    shutil.rmtree(job.out, ignore_errors=True)
    return job


def ends_like(job: Job, whole: Job) -> None:
    """The same command completes the job with what an unbroken run has written."""
    early = [json.loads(f.read_text()) for f in (job.out / "blocks").iterdir()]
    assert 0 < len(early) < done_blocks(whole.out), "stopped too early or too late for this test"
    kept = files_of(job.out / "blocks")
    job.embed(*FLAGS).succeeds()
    after = files_of(job.out / "blocks")
    assert {name: after[name] for name in kept} == kept  # what was done is not done again
    assert_same_rows(job.rows(), whole.rows())
    for folder in ("parts", "blocks", "plan", "rejects"):
        names = {p.name for p in (job.out / folder).iterdir()}
        assert names == {p.name for p in (whole.out / folder).iterdir()}
    hidden = {n for n in files_of(job.out) if n.startswith(".") or "/." in n}
    assert hidden <= {".lock"}
    accounts = ("complete", "lines", "embedded", "blank", "rejected", "rows", "tokens", "shards")
    got, want = job.manifest(), whole.manifest()
    assert {name: got[name] for name in accounts} == {name: want[name] for name in accounts}
    assert job.rejects() == whole.rejects()
    assert job.success
    assert job.verify().code == 0


def assert_stopped(ran: Ran, number: signal.Signals, job: Job) -> None:
    """One line says how far it came and what to do; the exit code is the signal's."""
    assert ran.code == SIGNALS[number], ran.err
    assert len(ran.complaints) == 1, ran.err
    line = re.fullmatch(
        r"elmo-beam: stopped after (\d+) of (\d+) blocks; the same command continues",
        ran.complaints[0],
    )
    assert line, ran.err
    done = done_blocks(job.out)
    assert done - 100 <= int(line[1]) <= done  # as of a moment ago
    assert int(line[2]) > done


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_within_5_seconds_with_one_line_and_the_command_continues(
    broken: Job, whole: Job, number: signal.Signals
) -> None:
    with running(broken, *FLAGS) as started:
        began = time.monotonic()
        started.send_signal(number)
        ran = ended(started, 5)
        assert time.monotonic() - began < 5
    assert_stopped(ran, number, broken)
    assert not broken.success
    ends_like(broken, whole)


@dataclass(frozen=True)
class Killed:
    """A run that was killed, and what a second one said meanwhile."""

    job: Job
    second: Ran
    overwriting: Ran
    verifying: Ran
    blocks: int


@pytest.fixture(scope="module")
def killed(whole: Job) -> Killed:
    """A run beside which others were started, before kill -9."""
    job = replace(whole, out_name="killed")
    with running(job, *FLAGS) as started:
        second = job.embed(*FLAGS)
        overwriting = job.embed(*FLAGS, "--overwrite")
        verifying = job.verify()
        os.killpg(started.pid, signal.SIGKILL)
        started.wait(10)
    return Killed(job, second, overwriting, verifying, done_blocks(job.out))


def test_a_second_run_on_the_same_folder_is_refused_even_to_overwrite(killed: Killed) -> None:
    for ran in (killed.second, killed.overwriting, killed.verifying):
        ran.refuses("another elmo-beam", killed.job.out)
    assert killed.blocks >= 3


def test_after_kill_9_the_lock_is_gone_and_the_same_command_ends_like_an_unbroken_run(
    killed: Killed, whole: Job
) -> None:
    ends_like(killed.job, whole)


def test_sigterm_to_a_command_of_two_processes_leaves_none_behind(broken: Job, whole: Job) -> None:
    with running(broken, *FLAGS, *MULTI_PROCESSING) as started:
        workers = descendants(started.pid)
        assert len(workers) >= 2
        started.send_signal(signal.SIGTERM)
        ran = ended(started, 5)  # until every process that could write to the terminal is gone
        wait_for(lambda: not any(alive(pid) for pid in workers), 2)  # to die takes a moment
    assert_stopped(ran, signal.SIGTERM, broken)
    ends_like(broken, whole)


def test_workers_of_a_command_that_was_killed_go_away_and_ctrl_c_stops_the_next_ones(
    broken: Job, whole: Job
) -> None:
    with running(broken, *FLAGS, *MULTI_PROCESSING) as started:
        workers = descendants(started.pid)
        assert len(workers) >= 2
        os.kill(started.pid, signal.SIGKILL)
        started.wait(5)
        wait_for(lambda: not any(alive(pid) for pid in workers), 30)
    before = done_blocks(broken.out)
    with running(broken, *FLAGS, *MULTI_PROCESSING, blocks=before + 3) as started:
        workers = descendants(started.pid)
        os.killpg(started.pid, signal.SIGINT)  # a terminal sends it to every process
        ran = ended(started, 5)
        wait_for(lambda: not any(alive(pid) for pid in workers), 2)  # to die takes a moment
    assert_stopped(ran, signal.SIGINT, broken)
    ends_like(broken, whole)
