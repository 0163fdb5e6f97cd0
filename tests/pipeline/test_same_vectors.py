"""The same sentences give the same vectors, however they are cut, packed and computed."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.command import Job, assert_same_rows, random_lines, read_rows

LINES = [*random_lines(80).splitlines(), "", "The bank.", "The bank.", "Bank! " * 30, "x"]
PLACE = ("shard", "line", "offset")
FLAGS = ("--outputs", "elmo,default,word_emb")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model: Path) -> pa.Table:
    """One plain text, one block."""
    job = Job(tmp_path_factory.mktemp("whole"), model)
    job.file("a.txt", "\n".join(LINES) + "\n")
    job.embed(*FLAGS).succeeds()
    assert len(list((job.out / "parts").iterdir())) == 1
    return job.rows()


def as_text(job: Job, name: str, lines: list[str]) -> None:
    job.file(f"{name}.txt", "\n".join(lines) + "\n")


def as_gzip(job: Job, name: str, lines: list[str]) -> None:
    job.file(f"{name}.txt.gz", gzip.compress(("\n".join(lines) + "\n").encode()))


def as_windows_bz2(job: Job, name: str, lines: list[str]) -> None:
    job.file(f"{name}.txt.bz2", bz2.compress(("\ufeff" + "\r\n".join(lines)).encode()))


def as_parquet(job: Job, name: str, lines: list[str]) -> None:
    pq.write_table(pa.table({"text": lines}), job.file(f"{name}.parquet", b""), row_group_size=9)


Write = Callable[[Job, str, list[str]], None]


@pytest.mark.parametrize("size", ["1", "500", "3k", "1g"])
@pytest.mark.parametrize("write", [as_text, as_gzip])
def test_block_size_and_compression_change_no_vector(
    job: Job, whole: pa.Table, write: Write, size: str
) -> None:
    write(job, "a", LINES)
    job.embed(*FLAGS, "--block_size", size).succeeds()
    ignoring = ("shard",) if write is as_text else PLACE
    assert_same_rows(job.rows(), whole, ignoring)
    parts = len(list((job.out / "parts").iterdir()))
    assert parts == {"1": len(LINES), "1g": 1}.get(size, parts)
    assert job.verify().code == 0


@pytest.mark.parametrize("write", [as_text, as_gzip, as_windows_bz2, as_parquet])
def test_seven_shards_of_any_kind_give_the_vectors_of_one(
    job: Job, whole: pa.Table, write: Write
) -> None:
    size = -(-len(LINES) // 7)
    for i in range(7):
        write(job, f"part{i}", LINES[i * size : (i + 1) * size])
    job.embed(*FLAGS).succeeds()
    assert_same_rows(job.rows(), whole, PLACE)
    lines = job.rows()["line"].to_pylist()
    assert max(lines) < size


def test_order_of_lines_and_little_memory_change_no_vector(job: Job, whole: pa.Table) -> None:
    as_text(job, "a", LINES[::-1])
    job.embed(*FLAGS, "--memory", "4k").succeeds()
    rows = job.rows()
    assert_same_rows(rows.take(list(range(len(rows)))[::-1]), whole, PLACE)


def test_a_row_is_named_by_its_line_and_its_byte_offset(job: Job) -> None:
    text = "première\n\nzweite Zeile\r\n三\n"
    job.file("a.txt", text)
    job.file("b.txt.gz", gzip.compress(text.encode()))
    job.embed("--outputs", "default", "--block_size", "12").succeeds()
    rows = read_rows(job.out).select(["line", "offset"]).to_pylist()
    data = text.encode()
    wanted = [{"line": n, "offset": data.index(word)} for n, word in
              [(0, b"prem"), (2, b"zweite"), (3, "三".encode())]]  # fmt: skip
    assert rows == wanted * 2
