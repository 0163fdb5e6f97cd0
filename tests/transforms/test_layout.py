"""Where a run keeps what: names that other people's scripts rely on."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.files.layout import (
    BLOCK_NAME,
    PLAN_NAME,
    Layout,
    block_stem,
    pack_stem,
    shard_stem,
)
from elmo_beam.transforms.packs import is_pack

SHARDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/")).map(
    "/in/".__add__
)


def digest(shard: str) -> str:
    return hashlib.sha256(shard.encode()).hexdigest()[:8]


def test_the_names_of_the_contract() -> None:
    layout = Layout("/out")
    shard = "/data/books/a.txt.gz"
    assert layout.parts == "/out/parts"
    assert layout.rejects == "/out/rejects"
    assert layout.plan == "/out/plan"
    assert layout.blocks == "/out/blocks"
    assert layout.run == "/out/run.json"
    assert layout.manifest == "/out/manifest.json"
    assert layout.success == "/out/_SUCCESS"
    assert block_stem(shard_stem(shard), 262144) == f"a.txt.gz-{digest(shard)}-000000000262144"
    assert layout.plan_of(shard) == f"/out/plan/a.txt.gz-{digest(shard)}.json"
    assert digest(shard) == "7f86403c"


def test_a_remote_folder_keeps_its_address() -> None:
    layout = Layout("s3://bucket/out/")
    assert layout.parts == "s3://bucket/out/parts"
    assert (
        layout.plan_of("s3://b/in/a.txt")
        == f"s3://bucket/out/plan/a.txt-{digest('s3://b/in/a.txt')}.json"
    )


@given(SHARDS, st.integers(0, 10**15 - 1))
@example("/in/" + "é" * 200, 0)
@example("/in/" + "語" * 85, 10**15 - 1)
@example("/in/.hidden.txt", 0)
@example("/in/__init__.txt", 0)
@example("/in/...", 0)
@example("/in/a\nb", 0)
def test_a_name_fits_every_file_system_and_every_reader_sees_it(shard: str, start: int) -> None:
    stem = block_stem(shard_stem(shard), start)
    base, tail = stem[:-25], stem[-25:]
    assert tail == f"-{digest(shard)}-{start:015d}"
    assert base
    assert not stem.startswith((".", "_", "/"))
    assert "/" not in stem
    assert stem.isprintable()
    assert len(f"{stem}.tfrecord".encode()) <= 255
    for suffix in ("parquet", "tfrecord", "jsonl", "json"):
        match = BLOCK_NAME.fullmatch(f"{stem}.{suffix}")
        assert match is not None
        assert match["stem"] == stem
    plan = Layout("/out").plan_of(shard).removeprefix("/out/plan/")
    assert PLAN_NAME.fullmatch(plan)
    assert plan == stem[:-16] + ".json"


def test_a_pack_has_a_name_that_no_shard_has() -> None:
    stem = pack_stem(["/in/a.txt", "/in/b.txt"])
    assert stem != pack_stem(["/in/a.txt", "/in/b.txt", "/in/c.txt"])
    assert re.fullmatch("pack-[0-9a-f]{16}", stem)
    names = [stem, stem[:13], shard_stem(f"/in/{stem}"), shard_stem("/in/pack")]
    for number, plan in enumerate(names):
        match = BLOCK_NAME.fullmatch(f"{block_stem(plan, number)}.parquet")
        assert match is not None
        assert (match["plan"], match["stem"]) == (plan, f"{plan}-{number:015d}")
        assert is_pack(plan) == (plan == stem)


@pytest.mark.parametrize("name", ["a.txt", "größe.txt", "日本語", "A-b_c+d=1.txt.gz", "1"])
def test_the_base_name_is_kept(name: str) -> None:
    assert block_stem(shard_stem(f"/in/{name}"), 0).startswith(f"{name}-")


def test_shards_of_one_name_have_different_stems() -> None:
    stems = {shard_stem(f"/in/{folder}/{'x' * 250}.txt") for folder in range(50)}
    assert len(stems) == 50
    assert {stem[:180] for stem in stems} == {"x" * 180}


def test_names_sort_as_the_blocks_do() -> None:
    stems = [block_stem(shard_stem("/in/a.txt"), start) for start in (0, 9, 10, 99_999, 10**14)]
    assert stems == sorted(stems)


NAMES = [
    ".hidden.txt",
    "_b.txt",
    "...",
    "a b",
    "x[1].txt",
    "*?",
    "{a,b}",
    "a::b",
    "#%20",
    "'\"",
    "~",
]


def test_readers_of_folders_see_the_part_of_every_shard(tmp_path: Path) -> None:
    for name in NAMES:
        path = tmp_path / f"{block_stem(shard_stem(f'/in/{name}'), 0)}.parquet"
        pq.write_table(pa.table({"name": [name]}), path)
    files = [str(path) for path in tmp_path.iterdir()]
    found = {
        "pyarrow": pq.read_table(tmp_path)["name"].to_pylist(),
        "pandas": list(pd.read_parquet(tmp_path).name),
        "polars": pl.read_parquet(tmp_path)["name"].to_list(),
        "polars, each": [pl.read_parquet(file)["name"][0] for file in files],
        "pandas, each": [pd.read_parquet(file).name[0] for file in files],
        "duckdb": [row[0] for row in duckdb.read_parquet(f"{tmp_path}/*").fetchall()],
        "duckdb, each": [duckdb.read_parquet(file).fetchall()[0][0] for file in files],
    }
    for reader, names in found.items():
        assert sorted(names) == sorted(NAMES), reader
