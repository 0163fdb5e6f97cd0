"""Plans on record, spans, and the format that a file's name stands for."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.inputs import jsonl, parquet, text
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import Shard, stat_shard
from elmo_beam.transforms.plan import (
    Plan,
    holds,
    make_plan,
    plan_shard,
    recorded_plan,
    spans_of,
    write_plan,
)
from tests.helpers.blocks import make_settings, write_shard

BLOCKS = st.lists(st.builds(Block, *[st.integers(0, 1 << 60)] * 4), max_size=5)
SETTINGS = make_settings(block_size=8)
FORMATS = {"text": text.FORMAT, "json": jsonl.FORMAT, "parquet": parquet.FORMAT}


def plan_of(path: str, count: int) -> Plan:
    """A plan of so many blocks of one line each."""
    blocks = [Block(10 * i, 10, i, 1) for i in range(count)]
    return Plan(Shard(path, 10 * count, 1.0), 10, "content", blocks)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(0, 1 << 60),
    st.floats(0, 1e12),
    BLOCKS,
    st.none() | st.text(),
)
def test_a_plan_survives_its_json(
    path: str, size: int, modified: float, blocks: list[Block], damaged: str | None
) -> None:
    plan = Plan(Shard(path, size, modified), 1 << 18, "c0ffee", blocks, damaged)
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json().encode()) == plan


def test_the_plan_on_record_is_used_while_size_and_time_hold(
    layout: Layout, tmp_path: Path
) -> None:
    path = write_shard(tmp_path / "a.txt", b"one\ntwo\nthree\n")
    plan = plan_shard(layout, path, SETTINGS)
    assert plan == recorded_plan(layout, path) == make_plan(path, SETTINGS)
    assert plan.shard == Shard(path, 14, os.stat(path).st_ctime)
    assert [b.lines for b in plan.blocks] == [2, 1]

    marked = Plan(plan.shard, plan.block_size, "distinguished by this", plan.blocks)
    write_plan(layout, marked)
    assert holds(marked, path, SETTINGS)
    assert plan_shard(layout, path, SETTINGS) == marked


@pytest.mark.parametrize("change", ["content", "time", "block size", "damaged", "lost bytes"])
def test_a_plan_that_no_longer_holds_is_made_again(
    layout: Layout, tmp_path: Path, change: str
) -> None:
    path = write_shard(tmp_path / "a.txt", b"one\ntwo\nthree\n")
    settings = SETTINGS
    stale = Plan(stat_shard(path), settings.block_size, "stale", [Block(0, 14, 0, 3)])
    write_plan(layout, stale)
    if change == "content":
        write_shard(tmp_path / "a.txt", b"one\ntwo\nthree\nfour\n")
        os.utime(path, (stale.shard.modified, stale.shard.modified))
    elif change == "time":
        os.utime(path, (1.0, stale.shard.modified + 1))
    elif change == "block size":
        settings = make_settings(block_size=4)
    elif change == "damaged":
        write_plan(layout, Plan(stale.shard, settings.block_size, "stale", [], "was cut"))
    else:
        Path(layout.plan_of(path)).write_bytes(b"")
    assert not holds(recorded_plan(layout, path), path, settings)
    plan = plan_shard(layout, path, settings)
    assert plan == make_plan(path, settings) == recorded_plan(layout, path)
    assert plan.content != "stale"


def test_a_damaged_file_is_planned_again_once_it_is_replaced(
    layout: Layout, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(b"no gzip")
    damaged = plan_shard(layout, str(path), SETTINGS)
    assert damaged.damaged is not None
    assert recorded_plan(layout, str(path)) == damaged
    assert list(spans_of(damaged)) == []
    write_shard(path, b"one\n")
    plan = plan_shard(layout, str(path), SETTINGS)
    assert (plan.damaged, plan.lines) == (None, 1)


def test_a_file_that_cannot_be_read_now_keeps_its_plan(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", b"one\n")
    plan = plan_shard(layout, path, SETTINGS)
    os.rename(path, tmp_path / "away")
    assert not holds(plan, path, SETTINGS)
    unread = plan_shard(layout, path, SETTINGS)
    assert unread == replace(plan, unread="No such file or directory")
    assert list(spans_of(unread)) == []
    os.rename(tmp_path / "away", path)  # which gives it a new time
    assert plan_shard(layout, path, SETTINGS) == replace(plan, shard=stat_shard(path))


def test_a_plan_that_was_unread_is_read_again_once_it_can(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", b"one\n")
    plan = plan_shard(layout, path, SETTINGS)
    write_plan(layout, replace(plan, unread="Input/output error"))
    assert plan_shard(layout, path, SETTINGS) == plan == recorded_plan(layout, path)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl", "a.parquet"])
def test_a_touched_file_has_the_same_blocks(layout: Layout, tmp_path: Path, name: str) -> None:
    path = write_shard(tmp_path / name, b"one\n")
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"text": ["one"]}), path)
    before = plan_shard(layout, path, SETTINGS)
    os.utime(path)
    after = plan_shard(layout, path, SETTINGS)
    assert (after.content, after.blocks) == (before.content, before.blocks)
    assert after.good


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize(("count", "spans"), [(0, 0), (1, 1), (16, 1), (17, 2), (1000, 63)])
def test_spans_have_at_most_16_blocks_where_the_file_can_be_seeked(
    name: str, count: int, spans: int
) -> None:
    plan = plan_of(f"/in/{name}", count)
    found = list(spans_of(plan))
    assert len(found) == spans
    assert [key for span in found for key in span.keys] == plan.keys
    assert all(1 <= len(span.keys) <= 16 for span in found)
    assert all((span.shard, span.content) == (plan.shard, plan.content) for span in found)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("count", [0, 1, 5, 15, 16, 17, 31, 32, 33, 1000])
def test_there_are_at_most_16_spans_where_it_cannot(suffix: str, count: int) -> None:
    plan = plan_of(f"/in/a.txt{suffix}", count)
    found = list(spans_of(plan))
    assert len(found) <= 16
    assert len(found) >= min(count, 9)  # still work for many workers
    assert [key for span in found for key in span.keys] == plan.keys
    assert all(span.keys for span in found)


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("a.txt", "text", None),
        ("a", "text", None),
        ("a.TXT.GZ", "text", "gzip"),
        ("a.gz", "text", "gzip"),
        ("a.bz2", "text", "bz2"),
        ("a.txt.zst", "text", "zstd"),
        ("a.JSONL.GZ", "json", "gzip"),
        ("a.ndjson", "json", None),
        ("a.json.zst", "json", "zstd"),
        ("a.jsonl.bz2", "json", "bz2"),
        ("a.json.txt", "text", None),
        ("a.Parquet", "parquet", None),
        ("a.parquet.gz", "text", "gzip"),
        ("a.jsonl.parquet", "parquet", None),
        ("json", "text", None),
        ("b.json/a", "text", None),
    ],
)
def test_the_suffix_says_what_a_file_is(name: str, kind: str, compression: str | None) -> None:
    shard = Shard(f"/in/{name}", 0, 0.0)
    assert input_format(shard.path) is FORMATS[kind]
    assert shard.compression == compression
    assert shard.seekable == (compression is None)


def test_spans_and_plans_are_small_when_they_travel(tmp_path: Path) -> None:
    text = b"".join(b"line number %d\n" % i for i in range(10_000))
    plan = make_plan(write_shard(tmp_path / "a.txt", text), make_settings(block_size=100))
    assert all(len(pickle.dumps(span)) < 4096 for span in spans_of(plan))
