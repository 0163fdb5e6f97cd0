"""The benchmark, run as its users run it: its figures as JSON, and every mistake in one line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmark.py"
# As the script runs, but what it calls a MB is small.
SMALLER = f"""
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import benchmark
benchmark.MB = 20_000
benchmark.main()
"""
LINES = b"The bank of the river rose in the night .\nNobody saw it .\n"


def benchmark(
    *flags: object, program: tuple[str, ...] = (str(SCRIPT),)
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *map(str, flags)], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes(LINES)
    return path


def test_the_figures_come_as_json_with_what_made_them(book: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    done = benchmark(book, "--only", "start", "--runs", 1, "--json", out)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert 0 < figures["start"]["help"] < figures["start"]["first part"]
    assert figures["flags"]["runs"] == "1"
    assert {"machine", "begun"} < figures.keys()
    assert "elmo-beam" in figures["versions"]
    assert (
        f"first part file of the sample after {figures['start']['first part']:.1f} s" in done.stdout
    )


def test_a_list_of_questions_may_be_short_and_hold_any_bytes(tmp_path: Path) -> None:
    book, questions, out = (tmp_path / name for name in ("b.txt.gz", "q.txt", "f.json"))
    book.write_bytes(gzip.compress(LINES * 800))
    questions.write_bytes(b"Who saw it ?\nWho saw the river ?\n\xff\xfe\n" * 3)
    flags = (book, "--only", "repeats", "--questions", questions, "--json", out)
    done = benchmark(*flags, program=("-c", SMALLER))
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())["repeats"]
    assert figures.keys() == {"books", "log", "questions"}
    # Every line occurs three times, and "Who saw" twice as often.
    assert figures["questions"]["shared"] > 2 / 3


@pytest.mark.parametrize(
    ("flags", "message", "code"),
    [
        (["nowhere.txt"], "nowhere.txt: No such file or directory", 2),
        (["."], ".: Is a directory", 2),
        (["{book}", "--only", "start,"], "'' is not one of encoders,", 2),
        (["{book}", "--only", "speed"], "'speed' is not one of encoders,", 2),
        (["{book}", "--runs", "0"], "'0' is not a whole number from 1", 2),
        (["{book}", "--sentences", "-3"], "'-3' is not a whole number from 1", 2),
        (["{book}", "--questions", "nowhere.txt"], "nowhere.txt: No such file or directory", 2),
        (["{book}", "--json", "nowhere/f.json"], "--json nowhere/f.json: No such file", 1),
        (["{book}", "--only", "encoders"], "fewer --sentences, or leave parts out", 1),
        (["{cut}", "--only", "default"], "cut.txt.gz: Compressed file ended", 1),
        (["{plain}", "--only", "default"], "plain.txt.gz: Not a gzipped file", 1),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    flags: list[str], message: str, code: int, book: Path, tmp_path: Path
) -> None:
    cut, plain = tmp_path / "cut.txt.gz", tmp_path / "plain.txt.gz"
    cut.write_bytes(gzip.compress(LINES * 1000)[:-20])
    plain.write_bytes(LINES)
    places = {"book": book, "cut": cut, "plain": plain}
    done = benchmark(*(flag.format(**places) for flag in flags))
    assert_one_line(done, message, code)


def test_a_text_without_a_sentence_is_named(tmp_path: Path) -> None:
    blank = tmp_path / "blank.txt"
    blank.write_bytes(b"\n" * 50_000)
    done = benchmark(blank, "--only", "repeats", program=("-c", SMALLER))
    assert_one_line(done, "text.txt: no sentence in it", 1)


def assert_one_line(done: subprocess.CompletedProcess[str], message: str, code: int) -> None:
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("benchmark: ")
