"""`elmo-beam report`: a well-formed page that shows what the run holds, and loads nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.command import Job, elmo_beam
from tests.helpers.page import Page, page_of


def test_a_run_on_one_page(job: Job) -> None:
    lines = [f"The bank paid number {i} <b>&amp;" for i in range(40)]
    job.file("a.txt", "\n".join([*lines, "", "   "]).encode() + b"\nbad \xff <i>\nworse \xfe\n")
    job.embed("--block_size", "500").succeeds()
    page = page_of(job)
    for said in ("complete", "What became of 44 lines", "embedded 40", "blank 2", "rejected 2"):
        assert said in page.text, said
    assert "invalid utf8 2" in page.text and "bad \\xff <i>" in page.text
    assert "a.txt, line 42" in page.text and "tokenizer moses" in page.text
    assert page.tags.count("circle") == 90  # three words of four letters or more, 30 uses of each
    assert "90 uses of 3 words, by their elmo vectors" in page.text
    assert elmo_beam("verify", job.out).code == 0


def test_a_page_again_and_a_run_afresh(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    first = page_of(job).text
    assert page_of(job).text == first
    job.embed("--overwrite", "--dtype", "float16").succeeds()
    assert not (job.out / "report.html").exists()


@pytest.mark.parametrize("flags", [("--outputs", "default"), ("--format", "tfrecord")])
def test_runs_of_other_kinds(job: Job, flags: tuple[str, ...]) -> None:
    job.file("a.txt", "The bank paid the bank.\n" * 9)
    job.embed(*flags).succeeds()
    page = page_of(job)
    assert "What became of 9 lines" in page.text
    assert page.tags.count("circle") == (0 if "default" in flags else 27)


def test_a_run_without_rows_and_one_that_is_not_complete(job: Job) -> None:
    job.file("a.txt", "\n")
    job.file("b.txt.gz", "no gzip")
    assert job.embed().code == 1
    text = page_of(job).text
    assert "not complete: 1 to fix" in text and "b.txt.gz" in text


def test_a_run_that_was_stopped_before_it_planned_a_new_file(job: Job) -> None:
    job.file("a.txt", "One line.\n")
    job.embed().succeeds()
    (job.out / "_SUCCESS").unlink()
    assert "not complete: run the command again" in page_of(job).text


def test_a_full_disk_is_one_line_and_the_page_of_before_is_kept(
    job: Job, small_disk: Callable[..., Path]
) -> None:
    disk = small_disk(300)
    job = replace(job, out_name=str(disk / "out"))
    job.file("a.txt", "The bank paid the bank.\n" * 30)
    job.embed().succeeds()
    before = page_of(job).text
    subprocess.run(["dd", "if=/dev/zero", f"of={disk}/filler", "bs=1k", "count=300"], check=False)
    elmo_beam("report", job.out).refuses(job.out / "report.html", "No space left", "free some")
    (disk / "filler").unlink()
    assert Page((job.out / "report.html").read_text(encoding="utf-8")).text == before
    assert not list(job.out.glob(".tmp/*"))


def test_a_folder_that_is_not_a_run(tmp_path: Path) -> None:
    elmo_beam("report", tmp_path).refuses(tmp_path, "not a run of elmo-beam")
