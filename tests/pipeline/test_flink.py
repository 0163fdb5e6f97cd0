"""A real Flink cluster of two TaskManagers, each with worker processes, against a local run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from tests.helpers.command import (
    ROOT,
    Job,
    descendants,
    done_blocks,
    ended,
    random_lines,
    running,
    vectors,
    wait_for,
    write_model,
)

sys.path.insert(0, str(ROOT / "scripts" / "flink"))
from cluster import SHORT_LIVED, Cluster, free_port
from install import Flink, Missing, install
from run import CACHE, TASK_MANAGERS, flink_flags

VECTORS = ("elmo", "default")
FLAGS = ("--outputs", ",".join(VECTORS), "--block_size", "2k")
WITHIN = 240  # seconds that a job may take before the test gives it up


@pytest.fixture(scope="module")
def flink() -> Flink:
    try:
        return install(CACHE)
    except Missing as missing:
        pytest.skip(f"no Flink here: {missing}")


@pytest.fixture(scope="module")
def job_server(flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A flag that names a job server of Beam, where each command would start one of its own."""
    folder = tmp_path_factory.mktemp("job-server")
    port = free_port()
    words = [
        flink.java, *SHORT_LIVED, f"-Djava.io.tmpdir={folder}", "-jar", str(flink.job_server),
        "--flink-master", "[auto]", "--artifacts-dir", str(folder),
        "--job-port", str(port), "--artifact-port", "0", "--expansion-port", "0",
    ]  # fmt: skip
    started = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"--job_endpoint=localhost:{port}"
    started.kill()
    started.wait()


@pytest.fixture(scope="module")
def ending() -> Iterator[ExitStack]:
    """Ends the small cluster."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def small(flink: Flink, ending: ExitStack) -> Cluster:
    """A cluster of one TaskManager, which gives a job up when it fails."""
    return ending.enter_context(Cluster(flink, 1, restarts=0))


@pytest.fixture
def on_small(small: Cluster, flink: Flink, job_server: str) -> list[str]:
    """Flags that send a job to the small cluster."""
    return [*flink_flags(small, flink.job_server, 1), job_server]


def wrapped(flags: list[str], script: str, folder: Path) -> list[str]:
    """The flags, with a worker that runs a line of shell before it begins."""
    path = folder / "worker.sh"
    worker = Path(sys.executable).with_name("elmo-beam-worker")
    path.write_text(f'#!/bin/sh\n{script}\nexec {worker} "$@"\n')
    path.chmod(0o755)
    return [flag.replace(str(worker), str(path)) for flag in flags]


def test_a_worker_without_the_model(job: Job, tmp_path: Path, on_small: list[str]) -> None:
    model = write_model(tmp_path / "model")
    job.file("a.txt", "One line.\n")
    flags = wrapped(on_small, f"mv {model} {model}.gone 2>/dev/null", tmp_path)
    job.embed("--model", model, *flags).refuses("no model", model)


def test_a_worker_without_the_package(job: Job, tmp_path: Path, on_small: list[str]) -> None:
    package = tmp_path / "elmo_beam"
    package.mkdir()
    # Beam's harness does not find the package; our worker, which starts the harness, does.
    (package / "__init__.py").write_text(
        "import sys\n"
        "if sys.argv[0] == '-c':\n"
        "    raise ModuleNotFoundError(\"No module named 'elmo_beam'\", name='elmo_beam')\n"
        f"__path__ = [{str(ROOT / 'src' / 'elmo_beam')!r}]\n"
    )
    job.file("a.txt", "One line.\n")
    flags = wrapped(on_small, f"export PYTHONPATH={tmp_path}", tmp_path)
    job.embed(*flags).refuses("worker", "no elmo-beam", "install")


def test_nothing_is_left_of_a_cluster(small: Cluster, ending: ExitStack) -> None:
    folder, pids = small.folder, [p.pid for p in small.task_managers]
    assert all(psutil.pid_exists(pid) for pid in pids)
    ending.close()
    assert not folder.exists()
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not any(str(folder) in " ".join(command) for command in commands)


@pytest.fixture(scope="module")
def cluster(flink: Flink) -> Iterator[Cluster]:
    with Cluster(flink, TASK_MANAGERS) as up:
        yield up


@pytest.fixture
def with_own_server(cluster: Cluster, flink: Flink, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Flags that send a job to the cluster by a job server that the command starts."""
    monkeypatch.setenv("TMPDIR", str(cluster.folder / "tmp"))
    return flink_flags(cluster, flink.job_server, TASK_MANAGERS)


@pytest.fixture
def on_flink(cluster: Cluster, flink: Flink, job_server: str) -> list[str]:
    """Flags that send a job to the cluster."""
    return [*flink_flags(cluster, flink.job_server, TASK_MANAGERS), job_server]


def same_content(job: Job, other: Job) -> None:
    """The same part files, every column but the vectors identical, vectors within 1e-5."""
    names = [sorted(p.name for p in (j.out / "parts").iterdir()) for j in (job, other)]
    assert names[0] == names[1] != []
    ours, theirs = job.rows(), other.rows()
    assert ours.drop_columns(VECTORS).equals(theirs.drop_columns(VECTORS))
    for name in VECTORS:
        np.testing.assert_allclose(vectors(ours, name), vectors(theirs, name), rtol=0, atol=1e-5)


def last_job(cluster: Cluster) -> dict[str, Any]:
    jobs: list[dict[str, Any]] = cluster.ask("/jobs/overview")["jobs"]
    return max(jobs, key=lambda job: job["start-time"])


def writers(cluster: Cluster) -> list[int]:
    """How many records each TaskManager read in the step that does the work of the last job."""
    last = last_job(cluster)
    found: dict[str, int] = {}
    for vertex in cluster.ask(f"/jobs/{last['jid']}")["vertices"]:
        if "WriteBlocks" in vertex["name"]:
            path = f"/jobs/{last['jid']}/vertices/{vertex['id']}/taskmanagers"
            for one in cluster.ask(path)["taskmanagers"]:
                read = int(one["metrics"]["read-records"])
                found[one["taskmanager-id"]] = read
    return sorted(found.values())


def test_it_writes_what_a_local_run_writes(job: Job, cluster: Cluster, on_flink: list[str]) -> None:
    """Its workers unpack the model from an archive, where the local run has the folder."""
    local = Job(job.folder, job.model, "local")
    job = Job(job.folder, shutil.make_archive(str(job.folder / "packed"), "zip", job.model), "out")
    for name in ("a.txt", "b.txt"):
        job.file(name, random_lines(200, seed=ord(name[0])))
    job.file("c.txt", b"One line.\nBad \xff bytes.\n" + random_lines(100, seed=7).encode())
    job.file("d.txt.gz", b"no gzip at all")
    for i in range(30):  # packs
        job.file(f"e/{i}.txt", random_lines(3, seed=i))
    inputs = [job.folder / "in" / "**"]
    ran = [j.embed(*FLAGS, *flags, inputs=inputs) for j, flags in ((job, on_flink), (local, ()))]
    assert len(list((job.out / "parts").glob("pack-*"))) > 2
    assert [r.code for r in ran] == [1, 1], ran[0].err
    assert ran[0].complaints == ran[1].complaints and "d.txt.gz" in ran[0].complaints[0]
    assert job.rejects() == local.rejects() and len(job.rejects()) == 1
    same_content(job, local)
    work = writers(cluster)
    assert len(work) == TASK_MANAGERS and min(work) > 0, work


def test_pooled_words_are_those_of_a_local_run(job: Job, on_flink: list[str]) -> None:
    local = Job(job.folder, job.model, "local")
    for name in ("a.txt", "b.txt"):
        job.file(name, random_lines(60, seed=ord(name[0])) + "the bank of the river\n" * 9)
    flags = ("--pool", "word", "--top_words", "4", *FLAGS)
    job.embed(*flags, *on_flink).succeeds()
    local.embed(*flags).succeeds()
    ours, theirs = (pq.read_table(j.out / "words.parquet") for j in (job, local))
    assert ours["word"].to_pylist() == ["the", "bank", "of", "river"]
    assert ours.select(["word", "count"]).equals(theirs.select(["word", "count"]))
    for name in ours.column_names[2:]:
        found, wanted = vectors(ours, name), vectors(theirs, name)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


BLOCKS = 30  # that the slow job has at least


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that spends some seconds in the model, done locally."""
    job = Job(tmp_path_factory.mktemp("slow"), "default", "local")
    for name in ("a.txt", "b.txt", "c.txt"):
        job.file(name, random_lines(400, seed=ord(name[0])))
    job.embed(*FLAGS).succeeds()
    assert done_blocks(job.out) >= BLOCKS
    return job


def test_it_survives_a_killed_worker_and_then_a_killed_task_manager(
    slow: Job, cluster: Cluster, on_flink: list[str]
) -> None:
    job = Job(slow.folder, "default")
    manager = cluster.task_managers[0].pid

    def kill() -> None:
        wait_for(lambda: done_blocks(job.out) >= 3, WITHIN)
        os.kill(descendants(manager)[0], signal.SIGKILL)
        wait_for(lambda: done_blocks(job.out) >= BLOCKS // 3, WITHIN)
        assert not job.success
        os.kill(manager, signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        job.embed(*FLAGS, *on_flink).succeeds()
        killing.result()
    assert manager != cluster.task_managers[0].pid
    same_content(job, slow)
    assert job.verify().code == 0


def test_a_signal_cancels_the_job(slow: Job, cluster: Cluster, with_own_server: list[str]) -> None:
    job = Job(slow.folder, "default", "stopped")
    with running(job, *FLAGS, *with_own_server, blocks=1) as started:
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does
        ran = ended(started, 30)
    ran.refuses("stopped after", "the same command continues", code=130)
    wait_for(lambda: last_job(cluster)["state"] == "CANCELED", 60)
    assert done_blocks(job.out) < done_blocks(slow.out)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="no `java` on the PATH"):
        install(tmp_path / "cache")
    ran = subprocess.run(
        [sys.executable, "scripts/flink/run.py", "embed"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 1 and ran.stderr.startswith("flink: no `java`"), ran.stderr
