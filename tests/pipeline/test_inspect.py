"""`inspect`: a run as a person sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.command import Job, Ran, elmo_beam, files_of

TWICE = "we sat on the bank of the river\n"
TEXT = TWICE + "my money is in the bank now\n" + TWICE + "spring came late\n"


def inspected(job: Job, *flags: object) -> Ran:
    """`inspect` on a job's folder."""
    return elmo_beam("inspect", job.out, *flags)


@pytest.fixture(scope="module", params=["parquet", "tfrecord"])
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Job:
    """A finished run whose first part has no rows."""
    job = Job(tmp_path_factory.mktemp("done"), model)
    job.file("a-blank.txt", "\n\n")
    job.file("b.txt", TEXT.encode() + b"bad \xff line\n")
    job.embed("--outputs", "elmo,default", "--format", request.param).succeeds()
    return job


def test_it_shows_accounts_settings_columns_and_rows_and_changes_nothing(done: Job) -> None:
    before = files_of(done.out)
    shown = inspected(done, "--rows", 2).succeeds().out
    assert files_of(done.out) == before
    for accounts in (r"lines +7", r"embedded +4 +\(4 rows, 26 tokens\)", r"blank +2"):
        assert re.search(rf"^ *{accounts}$", shown, re.MULTILINE), shown
    assert re.search(r"invalid_utf8 +1", shown)
    assert re.search(r"outputs +elmo, default", shown)
    assert done.manifest()["settings"]["digest"] in shown
    columns, _, rows = shown.partition("columns\n")[2].partition("rows\n")
    for name in ("shard", "offset", "sentence", "tokens", "num_tokens", "elmo", "default"):
        assert re.search(rf"^  {name} +\S", columns, re.MULTILINE), columns
    assert len(rows.strip().splitlines()) == 2
    assert "[we sat on the bank of the river]" in rows
    assert "[8, 8]" in rows  # 8 tokens, 8 wide


@pytest.mark.parametrize("output_format", ["parquet", "tfrecord"])
def test_a_run_without_rows_is_shown(job: Job, output_format: str) -> None:
    job.file("a.txt", "\n \n")
    job.embed("--format", output_format).succeeds()
    assert re.search(r"blank +2", inspected(job).succeeds().out)
    inspected(job, "--word", "bank").refuses(job.out, "no rows")


def test_an_incomplete_run_is_shown_with_what_is_wrong(job: Job) -> None:
    job.file("a.txt", TEXT)
    damaged = job.file("b.txt.gz", "no gzip")
    job.embed().refuses(damaged)
    shown = inspected(job)
    assert shown.code == 0
    assert f"damaged: {damaged}" in shown.out
    assert "[bank]" in inspected(job, "--word", "bank").succeeds().out
