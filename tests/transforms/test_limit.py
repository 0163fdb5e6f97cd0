"""The first lines of each file: nothing beyond them is read, planned or taken for the whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.inputs.records import CHUNK
from elmo_beam.transforms.inputs.shards import SourceFile
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import COMPRESSIONS, make_settings, raw_lines, read_shard, write_shard

ROWS = {
    "a.txt": (b"", b"line %d\n"),
    "a.jsonl": (b"", b'{"text": "line %d"}\n'),
    "a.csv": (b"n,text\n", b'%d,"a\nline"\n'),
    "a.conllu": (b"", b"1\tline%d" + b"\t_" * 8 + b"\n\n"),
    "a.fasta": (b"", b">%d\nMKV\n"),
}


def text_of(name: str, rows: int) -> bytes:
    header, row = ROWS[name]
    return header + b"".join(row % i for i in range(rows))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all reads of source files."""
    sizes: list[int] = []
    original = SourceFile.read

    def counted(self: SourceFile, size: int | None = -1) -> bytes:
        data = original(self, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(SourceFile, "read", counted)
    return sizes


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_first_records_and_no_others(tmp_path: Path, name: str, suffix: str) -> None:
    whole = raw_lines(
        read_shard(write_shard(tmp_path / name, text_of(name, 20)), make_settings())[1]
    )
    path = write_shard(tmp_path / f"{name}{suffix}", text_of(name, 20))
    for limit in (1, 7, 19, 20, 21):
        for size in (1, 30, 1 << 18):
            run = make_settings(limit=limit, block_size=size)
            plan, blocks = read_shard(path, run)
            assert plan.lines == min(limit, 20)
            assert raw_lines(blocks) == whole[:limit]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_what_follows_is_not_read(tmp_path: Path, name: str, suffix: str, read: list[int]) -> None:
    data = text_of(name, 9) + np.random.default_rng(0).bytes(CHUNK).hex().encode() + b'\n"open'
    path = tmp_path / f"{name}{suffix}"
    write_shard(path, data)
    with path.open("r+b") as file:  # the rest is damaged, too
        file.truncate(os.path.getsize(path) - 10)
    plan, blocks = read_shard(str(path), make_settings(limit=5))
    assert (plan.lines, sum(map(len, blocks))) == (5, 5)
    assert sum(read) < 2 * CHUNK
    whole = make_plan(str(path), make_settings())
    assert (name == "a.txt" and not suffix) or whole.damaged or whole.lines > 5


def test_another_text_has_another_content_and_the_rest_has_none(tmp_path: Path) -> None:
    def content(data: bytes, limit: int | None = 2) -> str:
        return make_plan(write_shard(tmp_path / "a.txt", data), make_settings(limit=limit)).content

    long = b"x" * CHUNK + b"\n"
    assert content(b"a\nb\n" + long) == content(b"a\nb\n" + long + b"more\n")
    assert content(b"a\nb\n" + long) != content(b"a\nc\n" + long)
    assert content(b"a\nb\n") == content(b"a\nb\n", None)


def write_rows(path: Path, texts: list[str], **options: Any) -> str:
    keys = pa.array(range(len(texts)))
    pq.write_table(pa.table({"text": texts, "key": keys}), path, row_group_size=100, **options)
    return str(path)


@pytest.mark.parametrize("dictionary", [False, True])
def test_the_first_rows_of_parquet(tmp_path: Path, dictionary: bool, read: list[int]) -> None:
    rng = np.random.default_rng(0)
    texts = [f"{i} {rng.bytes(500).hex()}" for i in range(20_000)]
    path = write_rows(tmp_path / "a.parquet", texts, use_dictionary=dictionary)
    kept = Path(path).read_bytes()
    # The second half is damaged but for the footer.
    Path(path).write_bytes(kept[:10_000_000] + b"\xff" * 5_000_000 + kept[15_000_000:])
    for limit in (1, 99, 100, 101, 250):
        read.clear()
        plan, blocks = read_shard(path, make_settings(limit=limit, id_field="key"))
        assert plan.lines == limit
        assert [raw for raw, _, _ in raw_lines(blocks)] == [t.encode() for t in texts[:limit]]
        assert sum(read) < 6 << 20
    assert make_plan(path, make_settings()).damaged is not None


def test_rows_of_parquet_have_their_own_content(tmp_path: Path) -> None:
    def content(texts: list[str], limit: int | None, **changes: Any) -> str:
        path = write_rows(tmp_path / "a.parquet", texts)
        return make_plan(path, make_settings(limit=limit, **changes)).content

    texts = [f"text {i}" for i in range(300)]
    assert content(texts, 150) == content([*texts, "more"], 150)
    assert content(texts, 150) == content([*texts[:150], "another", *texts[151:]], 150)
    assert content(texts, 150) != content([*texts[:149], "another", *texts[150:]], 150)
    assert content(texts, 150) != content(texts, 151)
    assert content(texts, 150) != content(texts, 150, id_field="key")


def test_a_parquet_file_of_fewer_rows_than_its_footer_says_is_still_damaged(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.parquet", ["a", "b"])
    for limit in (1, 2, 3):
        plan = make_plan(path, make_settings(limit=limit))
        assert (plan.damaged, plan.lines) == (None, min(limit, 2))
