"""Files that cannot be embedded: each is named with its cause, and costs no other file a line."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.command import Job, elmo_beam, files_of, random_lines, read_rows

TEXT = random_lines(50).encode()


def zstd(data: bytes) -> bytes:
    """One zstd frame."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def parquet(table: pa.Table) -> bytes:
    """A Parquet file of one page a column, none compressed, with checksums."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none", use_dictionary=False, write_page_checksum=True)
    return sink.getvalue()


GZ, BZ2, ZST = gzip.compress(TEXT), bz2.compress(TEXT), zstd(TEXT)
PARQUET = parquet(pa.table({"text": ["one bank", "six banks", "two banks", "a"] * 25}))
DAMAGED = {
    "half.txt.gz": (GZ[: len(GZ) // 2], "runcated"),
    "head.txt.gz": (GZ[:5], "runcated"),
    "no-crc.txt.gz": (GZ[:-8], "runcated"),
    "no-end.txt.gz": (GZ[:-1], "runcated"),
    "bad-crc.txt.gz": (GZ[:-8] + bytes(8), "check"),
    "flipped.txt.gz": (GZ[:200] + bytes([GZ[200] ^ 255]) + GZ[201:], "decompressing"),
    "half.txt.bz2": (BZ2[: len(BZ2) // 2], "runcated"),
    "no-end.txt.bz2": (BZ2[:-1], "runcated"),
    "half.jsonl.zst": (ZST[: len(ZST) // 2], "runcated"),
    "no-end.txt.zst": (ZST[:-1], "runcated"),
    "text.txt.gz": (TEXT, "header"),
    "text.txt.bz2": (TEXT, "bz2"),
    "text.txt.zst": (TEXT, "zstd"),
    "text.parquet": (TEXT, "Parquet"),
    "garbage.txt.gz": (GZ + b"x", "runcated"),
    "garbage.txt.bz2": (BZ2 + bytes(10), "bz2"),
    "garbage.txt.zst": (ZST + bytes(10), "zstd"),
    "archive.tar.gz": (gzip.compress(bytes(257) + b"ustar\0"), "tar archive"),
    "utf-16.jsonl.zst": (zstd(TEXT.decode().encode("utf-16-le")), "UTF-16"),
    "empty.txt.gz": (b"", "empty"),
    "empty.parquet": (b"", "0 bytes"),
    "gzip.txt": (GZ, "must end in .gz"),
    "gzip.jsonl": (GZ, "must end in .gz"),
    "bzip2.txt": (BZ2, "must end in .bz2"),
    "zstd.txt": (ZST, "must end in .zst"),
    "parquet.txt": (PARQUET, "must end in .parquet"),
    "half.parquet": (PARQUET[: len(PARQUET) // 2], "Parquet"),
    "flipped.parquet": (PARQUET.replace(b"six banks", b"six bankz", 1), "checksum"),
    "no-column.parquet": (parquet(pa.table({"body": ["a"], "title": ["b"]})), "body, title"),
    "numbers.parquet": (parquet(pa.table({"text": [1, 2]})), "int64"),
}
GOOD = {
    "good.txt": TEXT,
    "good.txt.gz": GZ,
    "members.txt.gz": GZ + GZ,
    "padded.txt.gz": GZ + bytes(3000),
    "members.txt.bz2": BZ2 + BZ2,
    "members.txt.zst": ZST + ZST,
    "good.parquet": PARQUET,
    "empty.txt": b"",
    "empty.jsonl": b"",
    "nothing.txt.gz": gzip.compress(b""),
}
LINES = dict.fromkeys(GOOD, 50) | {f"members.txt.{x}": 100 for x in ("gz", "bz2", "zst")}
LINES |= {"good.parquet": 100, "empty.txt": 0, "empty.jsonl": 0, "nothing.txt.gz": 0}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Job, list[str]]:
    """A run over damaged files among good ones, and what it complained of."""
    job = Job(tmp_path_factory.mktemp("mixed"), model)
    for name, data in GOOD.items():
        job.file(name, data)
    for name, (data, _) in DAMAGED.items():
        job.file(name, data)
    (job.folder / "in" / "dangling.txt").symlink_to(job.folder / "nowhere")
    ran = job.embed("--outputs", "default")
    assert ran.code == 1
    return job, ran.complaints


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_once_with_cause_and_remedy(
    mixed: tuple[Job, list[str]], name: str
) -> None:
    job, complaints = mixed
    path = f"{job.folder}/in/{name}"
    found = [line for line in complaints if f"{path} " in line]
    assert len(found) == 1, complaints
    assert found[0].startswith("elmo-beam: damaged: ")
    assert DAMAGED[name][1] in found[0]
    assert "replace it" in found[0]  # what to do about it


def test_a_file_that_cannot_be_read_is_named_once_with_cause(mixed: tuple[Job, list[str]]) -> None:
    job, complaints = mixed
    path = f"{job.folder}/in/dangling.txt"
    [line] = (line for line in complaints if path in line)
    assert f"cannot read {path} (No such file or directory), nothing of it is embedded" in line
    assert "the same command continues" in line
    assert job.manifest()["unread"] == [{"shard": path, "cause": "No such file or directory"}]


def test_there_is_one_line_for_each_and_no_other(mixed: tuple[Job, list[str]]) -> None:
    _, complaints = mixed
    assert len(complaints) == len(DAMAGED) + 1, complaints


def test_the_good_files_are_whole_and_of_the_damaged_there_is_nothing(
    mixed: tuple[Job, list[str]],
) -> None:
    job, _ = mixed
    manifest = job.manifest()
    by_name = {Path(s["shard"]).name: s for s in manifest["shards"]}
    assert {name: by_name[name]["embedded"] for name in GOOD} == LINES
    assert all(by_name[name]["complete"] for name in GOOD)
    assert not any(by_name[name]["complete"] for name in DAMAGED)
    rows = job.rows()["shard"].to_pylist()
    assert {Path(shard).name: rows.count(shard) for shard in set(rows)} == {
        name: lines for name, lines in LINES.items() if lines
    }
    assert manifest["complete"] is False
    assert not job.success
    named = {Path(d["shard"]).name for d in manifest["damaged"]}
    assert named == set(DAMAGED)
    assert all(d["cause"] for d in manifest["damaged"])


def test_verify_and_plan_name_them_too(mixed: tuple[Job, list[str]]) -> None:
    job, _ = mixed
    planned = elmo_beam("plan", "--input", job.folder / "in" / "*", "--model", job.model)
    for ran in (job.verify(), planned):
        assert ran.code == 1
        assert len(ran.complaints) == len(DAMAGED) + 1, ran.err
        for name in [*DAMAGED, "dangling.txt"]:
            assert sum(f"{job.folder}/in/{name} " in line for line in ran.complaints) == 1


def test_once_replaced_the_same_command_computes_only_that_file(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.file("b.txt.gz", GZ[:-20])
    job.file("c.txt.gz", gzip.compress(random_lines(30, 2).encode()))
    flags = ("--block_size", "1k")  # than which all are larger
    assert job.embed(*flags).code == 1
    before = files_of(job.out / "parts")
    assert {name[0] for name in before} == {"a", "c"}
    job.embed(*flags).refuses("b.txt.gz", "runcated")  # still
    assert files_of(job.out / "parts") == before
    job.file("b.txt.gz", GZ)
    job.embed(*flags).succeeds()
    after = files_of(job.out / "parts")
    assert {name[0] for name in after} == {"a", "b", "c"}
    assert {name: after[name] for name in before} == before
    assert job.success
    assert job.manifest()["damaged"] == []
    assert job.manifest()["lines"] == 130
    assert job.verify().code == 0


def test_a_damaged_file_can_be_left_out_and_the_run_completes(job: Job) -> None:
    good = job.file("a.txt", TEXT)
    job.file("b.txt.gz", GZ[:-20])
    assert job.embed().code == 1
    job.embed(inputs=[good]).succeeds()
    assert job.success
    assert [s["shard"] for s in job.manifest()["shards"]] == [str(good)]
    assert job.verify().code == 0


def test_a_file_damaged_after_it_was_embedded_takes_the_run_back(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.file("b.txt.gz", GZ)
    job.embed().succeeds()
    job.file("b.txt.gz", GZ[:-20])
    job.embed().refuses("b.txt.gz", "runcated")
    assert not job.success
    assert set(read_rows(job.out)["shard"].to_pylist()) == {f"{job.folder}/in/a.txt"}
    assert job.manifest()["lines"] == 50


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ("in/no*.txt", "matches no file"),
        ("in/no.txt", "matches no file"),
        ("in/sub", "is a folder"),
        ("", "--input"),
    ],
)
def test_an_input_that_gives_no_file_is_refused_before_anything_is_written(
    job: Job, given: str, cause: str
) -> None:
    good = job.file("a.txt", TEXT)
    job.file("sub/b.txt", TEXT)
    path = f"{job.folder}/{given}" if given else ""
    ran = job.embed(inputs=[good, path])
    ran.refuses(cause, path, code=1 if given else ran.code)
    assert ran.code in (1, 2)
    assert not job.out.exists()


def test_a_name_that_is_not_utf8_is_named_and_costs_no_other_file(job: Job) -> None:
    job.file("a.txt", TEXT)
    raw = bytes(job.folder / "in") + b"/l\xe4tin.txt"
    Path(raw.decode("utf-8", "surrogateescape")).write_bytes(TEXT)
    job.embed().refuses("tin.txt")
    if (job.out / "parts").exists():  # it may be refused before anything is written
        assert len(read_rows(job.out)) == 50
