"""`elmo-beam report`: a well-formed page that shows what the run holds, and loads nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.helpers.command import Job, elmo_beam

VOID = {"meta", "rect", "circle", "line"}


class Page(HTMLParser):
    """Reads a page, and fails if tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.links, self.tags = "", [], []  # type: ignore[var-annotated]
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v for name, v in attrs if name.split(":")[-1] in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def page_of(job: Job) -> Page:
    ran = elmo_beam("report", job.out).succeeds()
    path = job.out / "report.html"
    assert ran.out.strip() == str(path)
    return Page(path.read_text(encoding="utf-8"))


def test_a_run_on_one_page(job: Job) -> None:
    lines = [f"The bank paid number {i} <b>&amp;" for i in range(40)]
    job.file("a.txt", "\n".join([*lines, "", "   "]).encode() + b"\nbad \xff <i>\nworse \xfe\n")
    job.embed("--block_size", "500").succeeds()
    page = page_of(job)
    text = re.sub(r"\s+", " ", page.text)
    for said in ("complete", "What became of 44 lines", "embedded 40", "blank 2", "rejected 2"):
        assert said in text, said
    assert "invalid utf8 2" in text and "bad \\xff <i>" in text and "a.txt, line 42" in text
    assert "whitespace" not in text and "tokenizer moses" in text
    assert page.links == [] and "script" not in page.tags
    assert page.tags.count("circle") == 90  # three words of four letters or more, 30 uses of each
    assert "90 uses of 3 words, by their elmo vectors" in text
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
