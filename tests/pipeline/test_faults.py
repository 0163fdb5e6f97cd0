"""Reading that fails, files that are touched, records that get lost: no finished block does."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from elmo_beam.pipeline.job import folder as job_folder
from elmo_beam.transforms import steps
from elmo_beam.transforms.inputs import shards
from tests.helpers.command import Job, done_blocks, files_of, random_lines

SMALL_BLOCKS = ("--block_size", "2k")


class FailingFile(io.FileIO):
    """A file whose reads fail from some byte on, so many times."""

    errno, start, times = errno.EIO, 0, 0

    def read(self, size: int | None = -1) -> bytes:
        data: bytes = super().read(-1 if size is None else size)
        if self.tell() > self.start and FailingFile.times > 0:
            FailingFile.times -= 1
            raise OSError(self.errno, os.strerror(self.errno))
        return data


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let reads of inputs fail with an error number, from some byte on, so many times."""
    monkeypatch.setattr(shards, "_opened", lambda path: FailingFile(path))

    def set_up(number: int, start: int, times: int) -> None:
        FailingFile.errno, FailingFile.start, FailingFile.times = number, start, times

    return set_up


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a.txt", errno.EIO),
        ("a.txt.gz", errno.EMFILE),
        ("a.jsonl", errno.ESTALE),
        ("a.txt.bz2", errno.ETIMEDOUT),
    ],
)
def test_an_error_that_passes_is_not_noticed(
    job: Job, fail: Callable[..., None], name: str, number: int
) -> None:
    lines = random_lines(20)
    if name.endswith("jsonl"):
        lines = "".join(json.dumps({"text": line}) + "\n" for line in lines.splitlines())
    data = lines.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    if name.endswith(".bz2"):
        data = bz2.compress(data)
    job.file(name, data)
    fail(number, 10, 1)
    job.embed().succeeds()
    assert FailingFile.times == 0
    assert job.manifest()["lines"] == 20


def after_planning(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something when the first block of a run is written."""
    acts = [act]
    real = steps.write_block

    def write_block(*args: Any) -> Any:
        written = real(*args)
        if acts:
            acts.pop()()
        return written

    monkeypatch.setattr(steps, "write_block", write_block)


def test_a_lasting_error_after_the_plan_keeps_the_finished_blocks(
    job: Job, fail: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = job.file("a.txt", random_lines(1500))
    job.file("b.txt", "One bank.\n")
    fail(errno.EIO, 0, 0)
    with monkeypatch.context() as patched:
        after_planning(patched, lambda: fail(errno.EIO, path.stat().st_size - 6000, 1 << 30))
        ran = job.embed(*SMALL_BLOCKS)
    [line] = ran.complaints
    assert ran.code == 1
    assert f"unfinished: cannot read {path} (Input/output error)" in line
    assert "the same command continues" in line
    done = done_blocks(job.out)
    assert done > 2
    manifest = job.manifest()
    assert manifest["unread"] == [{"shard": str(path), "cause": "Input/output error"}]
    assert manifest["damaged"] == []
    kept = files_of(job.out / "parts")
    assert len(kept) == done
    fail(errno.EIO, 0, 0)
    job.embed(*SMALL_BLOCKS).succeeds()
    assert kept.items() <= files_of(job.out / "parts").items()
    assert job.manifest()["unread"] == []
    assert job.verify().code == 0


def test_a_file_that_cannot_be_read_at_all_is_unread_until_it_can(
    job: Job, fail: Callable[..., None]
) -> None:
    path = job.file("a.txt", "One bank.\n")
    fail(errno.EIO, 0, 1 << 30)
    job.embed().refuses(f"cannot read {path} (Input/output error), nothing of it is embedded")
    assert job.manifest()["unread"] == [{"shard": str(path), "cause": "Input/output error"}]
    assert not job.success
    fail(errno.EIO, 0, 0)
    job.embed().succeeds()
    assert job.manifest()["unread"] == []


def test_a_touch_in_mid_run_changes_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    path = job.file("a.txt", random_lines(300))
    after_planning(monkeypatch, lambda: os.utime(path))
    job.embed(*SMALL_BLOCKS).succeeds()
    assert job.verify().code == 0


def test_a_change_that_keeps_size_and_time_is_embedded(job: Job) -> None:
    path = job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    before = path.stat()
    path.write_text("Two cats.\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    job.embed().succeeds()
    assert job.rows()["text"].to_pylist() == ["Two cats."]


@pytest.mark.parametrize("lost", ["run.json", "rejects", "plan", "manifest.json", "blocks"])
@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_lost_record_is_made_again_by_the_same_command(job: Job, lost: str, how: str) -> None:
    job.file("a.txt", b"One bank.\nbad \xff line\n")
    job.embed().succeeds()
    before = files_of(job.out)
    path = job.out / lost
    path = path if path.is_file() else next(path.iterdir())
    path.unlink()
    if how == "empty" and lost != "rejects":  # as after a power cut
        path.touch()
    job.embed().succeeds()
    assert set(files_of(job.out)) == set(before)
    assert job.rows()["text"].to_pylist() == ["One bank."]
    assert len(job.rejects()) == 1
    assert job.verify().code == 0


def test_a_run_that_lost_its_settings_is_not_continued_with_others(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    (job.out / "run.json").unlink()
    before = files_of(job.out)
    job.embed("--outputs", "default").refuses("run.json", "other settings")
    assert files_of(job.out) == before


class PowerCut(BaseException):
    """Stands for an end that no handler sees."""


def test_an_overwrite_cut_off_before_its_new_settings_can_be_done_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    (job.out / "notes.txt").write_text("mine")

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(job_folder, "record_settings", cut)
        with pytest.raises(PowerCut):
            job.embed("--overwrite", "--outputs", "default")
    job.embed("--overwrite", "--outputs", "default").succeeds()
    assert job.manifest()["settings"]["outputs"] == ["default"]
    assert (job.out / "notes.txt").read_text() == "mine"
    assert job.verify().code == 0


def test_an_overwrite_does_not_delete_behind_a_link(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    elsewhere = job.folder / "elsewhere"
    (job.out / "parts").rename(elsewhere)
    (job.out / "parts").symlink_to(elsewhere)
    before = files_of(elsewhere)
    job.embed("--overwrite").refuses(job.out / "parts", "symbolic link")
    assert files_of(elsewhere) == before != {}
    job.embed().succeeds()


@pytest.mark.parametrize("name", ["lost+found", ".DS_Store"])
def test_what_a_system_puts_into_every_folder_does_not_count(job: Job, name: str) -> None:
    job.file("a.txt", "One bank.\n")
    (job.out / name).mkdir(parents=True)
    job.embed().succeeds()


def test_nothing_is_deleted_that_was_not_there_at_the_start(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another command believes to hold the same folder."""
    job.file("a.txt", random_lines(50))
    stem = "other.txt-0123abcd"
    theirs = {
        f"parts/{stem}-000000000000000.parquet",
        f"blocks/{stem}-000000000000000.json",
        f"rejects/{stem}-000000000000000.jsonl",
        f"plan/{stem}.json",
    }

    def put() -> None:
        for name in theirs:
            (job.out / name).parent.mkdir(exist_ok=True)
            (job.out / name).write_text("theirs")

    after_planning(monkeypatch, put)
    job.embed(*SMALL_BLOCKS).succeeds()
    assert theirs <= set(files_of(job.out))
