"""`plan`: what a run would do, in exact figures, without doing any of it."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.elmo.wording import counted
from tests.helpers.command import ROOT, Job, Ran, elmo_beam, random_lines

TEXT = b"The bank of the river.\n\nbad \xff line\nMoney in the bank\n"  # 6 and 4 tokens


def planned(job: Job, *flags: object) -> Ran:
    """`plan` with the flags that `embed` would have."""
    return elmo_beam("plan", *job.command(*flags)[1:])


def figures(ran: Ran) -> dict[str, str]:
    """The report's lines by their first column."""
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in ran.out.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def test_every_figure_of_a_small_corpus_is_exact_and_nothing_is_written(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.file("b.txt.gz", gzip.compress(b"one\n"))
    shown = figures(planned(job, "--rate", "2").succeeds())
    assert shown["files"] == "2 in 1 block"
    assert shown["lines"] == "5 (1 blank, 1 rejected)"
    assert shown["invalid_utf8"] == "1"
    assert (shown["sentences"], shown["tokens"]) == ("3", "11")
    lengths = shown["tokens per sentence"]
    assert "50%: 4" in lengths and "100%: 6" in lengths
    assert shown["suggested"] == "--max_tokens 10 --long_sentences split (keeps 99.9% whole)"
    assert shown["time"].startswith("6 s at 2 tokens/s")
    assert not job.out.exists()


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--block_size", "1k"),
        ("--split_sentences", "--tokenizer", "whitespace"),
        ("--max_tokens", "11"),
        ("--max_tokens", "5", "--long_sentences", "split"),
    ],
)
def test_the_run_does_what_the_plan_said(job: Job, flags: tuple[str, ...]) -> None:
    job.file("a.txt", TEXT + random_lines(200).encode() + b"One bank. Two banks.\n")
    shown = figures(planned(job, *flags).succeeds())
    job.embed(*flags).succeeds()
    manifest = job.manifest()
    rejected = sum(manifest["rejected"].values())
    wanted = f"{manifest['lines']:,} ({manifest['blank']:,} blank, {rejected:,} rejected)"
    assert shown["lines"] == wanted
    assert shown["sentences"] == f"{manifest['rows']:,}"
    assert shown["tokens"] == f"{manifest['tokens']:,}"
    parts = len(list((job.out / "parts").iterdir()))
    assert shown["files"] == f"1 in {counted(parts, 'block')}"


def test_the_output_is_forecast_within_a_third(tmp_path: Path) -> None:
    job = Job(tmp_path, "default")
    job.file("a.txt", random_lines(400))
    said = re.search(r"about ([\d,]+) MB", planned(job).succeeds().out)
    assert said
    job.embed().succeeds()
    real = sum(part.stat().st_size for part in (job.out / "parts").iterdir()) / 1e6
    assert abs(int(said[1].replace(",", "")) - real) <= real / 3 + 0.5


def test_a_damaged_file_is_named_and_the_others_are_counted(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.file("b.txt.gz", gzip.compress(TEXT)[:-9])
    ran = planned(job)
    ran.refuses("b.txt.gz", "runcated", "replace")
    assert figures(ran)["tokens"] == "10"


def test_it_takes_the_flags_of_embed_and_beams_too(job: Job) -> None:
    job.file("a.txt", TEXT)
    beams = ("--runner", "DirectRunner", "--direct_num_workers", "2")
    assert figures(planned(job, "--overwrite", *beams).succeeds())["tokens"] == "10"
    planned(job, "--spilt_sentences").refuses("--split_sentences", code=2)


def test_without_a_rate_it_says_how_to_give_one(job: Job) -> None:
    job.file("a.txt", TEXT)
    assert "--rate" in figures(planned(job).succeeds())["time"]


@pytest.mark.parametrize(
    ("tokens", "lines", "flags", "advice"),
    [
        (600, 64, ("--block_size", "2k"), ("128k", 32)),  # 3,200 bytes each with what is rejected
        (600, 64, ("--block_size", "128k"), None),
        (600, 8, ("--block_size", "2k"), ("32k", 8)),  # there are no more
        (600, 64, ("--block_size", "2k", "--memory", "1m"), ("64k", 13)),  # no more fit
        (600, 64, ("--block_size", "2k", "--limit", "2"), None),
        (100, 64, ("--block_size", "2k"), None),
    ],
)
def test_blocks_of_few_long_sequences_should_be_larger(
    job: Job, tokens: int, lines: int, flags: tuple[str, ...], advice: tuple[str, int] | None
) -> None:
    rejected = b"c " * 1001 + b"\n"
    job.file("a.txt", (("a " * (tokens - 1) + "b\n").encode() + rejected) * lines)
    out = planned(job, *flags, "--max_tokens", "1000").succeeds().out
    found = [line.strip() for line in out.splitlines() if "--block_size" in line]
    if advice is None:
        assert found == []
        return
    size, together = advice
    why = f"so that {together} long sequences go through the model together"
    assert found == [f"--block_size {size} ({why})"]
    again = planned(job, *flags, "--max_tokens", "1000", "--block_size", size).succeeds()
    assert "--block_size" not in again.out


def protein_file(job: Job) -> None:
    record = f">{'header ' * 14}\n{'ACDEFGHIKL' * 60}\n"
    job.file("a.fasta", record * 64)


def record_file(job: Job) -> None:
    record = {"text": "a " * 599 + "b", "note": "beside it " * 500}
    job.file("a.jsonl", f"{json.dumps(record)}\n" * 64)


def table_file(job: Job) -> None:
    path = job.file("a.parquet", b"")
    pq.write_table(pa.table({"text": ["a " * 599 + "b"] * 64}), path)


@pytest.mark.parametrize(
    ("write", "flags", "size"),
    [
        (protein_file, (), "32k"),
        (record_file, (), "256k"),
        (table_file, ("--text_column", "text"), "64k"),
    ],
)
def test_blocks_are_sized_by_records_as_the_input_has_them(
    job: Job, write: Callable[[Job], None], flags: tuple[str, ...], size: str
) -> None:
    write(job)
    out = planned(job, *flags, "--block_size", "2k").succeeds().out
    assert f"--block_size {size} (so that 32 long sequences" in out
    job.embed(*flags, "--block_size", size).succeeds()
    rows = [pq.read_metadata(path).num_rows for path in (job.out / "parts").iterdir()]
    assert max(rows) >= 32


def test_an_empty_corpus_has_nothing_to_suggest(job: Job) -> None:
    job.file("a.txt", "")
    shown = figures(planned(job).succeeds())
    assert (shown["lines"], shown["tokens"]) == ("0 (0 blank, 0 rejected)", "0")
    assert "suggested" not in shown


def test_it_needs_no_tensorflow(job: Job) -> None:
    job.file("a.txt", TEXT)
    code = (
        "import sys\nfrom elmo_beam.pipeline.cli import run\ncode = run(sys.argv[1:])\n"
        "print('tensorflow' in sys.modules)\nsys.exit(code)"
    )
    words = [sys.executable, "-c", code, "plan", *job.command()[1:]]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "False"
