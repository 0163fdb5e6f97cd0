"""File names, columns and tokens that would drive a terminal, through every command."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.pipeline.terminal.console import UNPRINTABLE
from tests.helpers.command import Job, Ran, elmo_beam

FORGED = "\nelmo-beam: all is well\r\x1b[2J\x9b\u202e\u2028"
SHOWN = r"\nelmo-beam: all is well\r\x1b[2J\x9b\u202e\u2028"
TOKEN = "bank\x1b[31m\x07\u202e"
ORDINARY = "क्\u200dष 👩\u200d🚀 e\u0301 日本"
FLAGS = ("--id_field", f"key{FORGED}", "--normalize", "none", "--tokenizer", "whitespace")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Job:
    """A folder with a hostile name for a run of hostile columns and tokens; one file is damaged."""
    job = Job(tmp_path_factory.mktemp("hostile"), model, f"out{FORGED}")
    job.file("b.txt.gz", "no gzip")
    table = pa.table({"text": [f"the {TOKEN} is {ORDINARY}"], f"key{FORGED}": [f"id{FORGED}"]})
    pq.write_table(table, job.folder / "in" / "a.parquet")
    return job


def check(ran: Ran, *parts: str) -> None:
    """Nothing printed drives the terminal or begins a line of its own; the parts are shown."""
    for text in (ran.out, ran.err):
        assert not UNPRINTABLE.search(text.replace("\n", ""))
        assert "elmo-beam: all is well" not in text.splitlines()
    assert all(line.startswith("elmo-beam: ") for line in ran.complaints), ran.err
    for part in parts:
        assert part in ran.out + ran.err


def test_no_command_lets_them_through(hostile: Job) -> None:
    embedded = hostile.embed(*FLAGS)
    check(embedded, f"out{SHOWN}", "b.txt.gz")
    assert (embedded.code, len(embedded.complaints)) == (1, 1)
    check(elmo_beam("plan", *hostile.command("--text_column", f"t{FORGED}")[1:]), "a.parquet")
    check(hostile.verify(), "b.txt.gz")
    check(elmo_beam("report", hostile.out), f"out{SHOWN}")
    shown = elmo_beam("inspect", hostile.out)
    check(shown, f"out{SHOWN}", f"key{SHOWN}", f"id{SHOWN}", r"bank\x1b[31m\x07\u202e")
    check(elmo_beam("inspect", hostile.out, "--word", TOKEN), r"[bank\x1b[31m\x07\u202e]")


def test_a_hostile_file_name_is_one_line(job: Job) -> None:
    job.file(f"a{FORGED}.txt", "One bank.\n")
    ran = job.embed()
    recorded = SHOWN
    for shown, code in (
        (r"\n", r"\x0a"),
        (r"\r", r"\x0d"),
        (r"\x9b", r"\xc2\x9b"),
        (r"\u2028", r"\xe2\x80\xa8"),
    ):
        recorded = recorded.replace(shown, code)
    check(ran, recorded)
    assert len(ran.complaints) == 1


def test_a_hostile_name_beside_one_that_looks_like_its_escape_loses_no_file(job: Job) -> None:
    job.file("a\tb.txt", "One bank.\n")
    job.file(r"a\x09b.txt", "Another bank.\n")
    quoted = rf"$'{job.folder}/in/a\x09b.txt' has a name that is not printable UTF-8"
    planned = elmo_beam("plan", *job.command()[1:])
    check(planned, quoted, "2 in 1 block")
    embedded = job.embed()
    check(embedded, quoted)
    assert (planned.code, embedded.code) == (1, 1)
    shards = [account["shard"] for account in job.manifest()["shards"]]
    assert shards == [rf"$'{job.folder}/in/a\x09b.txt'", rf"{job.folder}/in/a\x09b.txt"]
    assert job.manifest()["embedded"] == 1


def test_ordinary_text_is_shown_as_it_is(hostile: Job) -> None:
    hostile.embed(*FLAGS)
    rows = elmo_beam("inspect", hostile.out).out.partition("\nrows\n")[2]
    assert f"is {ORDINARY}'" in rows  # the text
    assert f"is {ORDINARY}]" in rows  # the tokens


@pytest.mark.parametrize(
    "words",
    [
        (f"embed{FORGED}",),
        ("embed", f"--input{FORGED}"),
        ("embed", "--format", FORGED),
        ("embed", "--input", "a", FORGED),
        ("inspect", f"out{FORGED}"),
        ("verify", os.fsdecode(b"out\xff")),
        ("embed", "--input", f"none{FORGED}", "--output", "out"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_one_line(words: tuple[str, ...]) -> None:
    ran = elmo_beam(*words)
    check(ran)
    assert ran.code != 0 and len(ran.complaints) == 1, ran.err
