"""Packs: which files make one, and what becomes of it when files change."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms import packs
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.shards import stat_shard
from elmo_beam.transforms.packs import (
    Pack,
    new_packs,
    parse_planned,
    plan_pack,
    recorded_pack,
    recorded_plans,
    write_pack,
)
from elmo_beam.transforms.plan import Plan, make_plan, plan_shard
from elmo_beam.transforms.read import RawBlock, read_pack
from elmo_beam.transforms.write import write_block
from tests.helpers.blocks import embedded_block, make_settings, normalized, write_shard

RUN = make_settings(block_size=100)


def files(folder: Path, **texts: bytes) -> list[str]:
    """Text files of these contents; their paths."""
    return [write_shard(folder / f"{name}.txt", text) for name, text in texts.items()]


def paths_of(pack: Pack) -> list[str]:
    return [plan.shard.path for plan in pack.plans]


def formed(layout: Layout, paths: list[str]) -> Pack:
    """The only pack of some files, planned and on record."""
    [pack] = new_packs(paths, RUN)
    write_pack(layout, pack)
    planned = plan_pack(layout, pack.stem, RUN)
    assert planned is not None
    return planned


def lines_of(block: RawBlock) -> list[tuple[str, int, bytes]]:
    """(name of the file, offset, raw) of all lines."""
    return [
        (os.path.basename(piece.shard), row["offset"], row["raw"])
        for piece, table in zip(block.key.pieces, block.tables, strict=True)
        for row in table.to_pylist()
    ]


@given(st.lists(st.integers(0, 130), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neighbours_are_joined_up_to_the_size_of_a_block(tmp_path: Path, sizes: list[int]) -> None:
    paths = [str(tmp_path / f"{i:02d}.txt") for i in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        Path(path).write_bytes(b"x" * size)
    expected: list[list[str]] = [[]]
    taken = 0
    for path, size in zip(paths, sizes, strict=True):
        if size > 100 or taken + size > 100:
            expected.append([])
            taken = 0
        if size <= 100:
            expected[-1].append(path)
            taken += size
    assert [paths_of(pack) for pack in new_packs(paths, RUN)] == [p for p in expected if p[1:]]


def test_what_cannot_be_seen_or_stays_alone_ends_a_pack(tmp_path: Path) -> None:
    small = files(tmp_path, a=b"1\n", b=b"2\n", d=b"3\n", e=b"4\n", g=b"5\n")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "c.parquet")
    middle = [str(tmp_path / "c.parquet"), str(tmp_path / "f-gone.txt")]
    found = new_packs(sorted([*small, *middle]), make_settings())
    assert [[os.path.basename(path) for path in paths_of(pack)] for pack in found] == [
        ["a.txt", "b.txt"],
        ["d.txt", "e.txt"],
    ]


def test_a_pack_has_not_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST_FILES", 2)
    paths = files(tmp_path, a=b"", b=b"", c=b"", d=b"", e=b"")
    assert [len(pack.plans) for pack in new_packs(paths, RUN)] == [2, 2]


def test_a_pack_survives_its_json(layout: Layout, tmp_path: Path) -> None:
    pack = formed(layout, files(tmp_path, a=b"one\n", b=b"", c=b"two\nthree"))
    assert parse_planned(pack.to_json().encode()) == pack == recorded_pack(layout, pack.stem)
    [path] = files(tmp_path, d=b"four")
    alone = plan_shard(layout, path, RUN)
    assert parse_planned(alone.to_json().encode()) == alone
    assert recorded_plans(layout) == [pack, alone]


@pytest.mark.parametrize(
    "text", [None, b"", b"{", b"[]", b"7", b'{"pack": "x"}', b'{"pack": 1, "plans": [{}]}', b"\xff"]
)
def test_what_is_not_a_plan_is_none(text: bytes | None) -> None:
    assert parse_planned(text) is None


def test_a_new_pack_is_not_known_and_has_no_block(tmp_path: Path) -> None:
    [pack] = new_packs(files(tmp_path, a=b"one\n", b=b"two\n"), RUN)
    assert not pack.known
    assert [plan.good for plan in pack.plans] == [False, False]
    assert pack.keys == []


def test_a_pack_is_one_block_and_its_rows_have_their_own_places(
    layout: Layout, tmp_path: Path
) -> None:
    pack = formed(layout, files(tmp_path, a=b"one\ntwo\n", b=b"", c=b"\n\xff\nthree"))
    [key] = pack.keys
    assert key.stem == f"{pack.stem}-000000000000000"
    assert [(os.path.basename(p.shard), p.block.lines) for p in key.pieces] == [
        ("a.txt", 2),
        ("c.txt", 3),
    ]
    [raw] = read_pack(layout, pack.stem, RUN)
    assert raw.key == key
    block = normalized(raw, RUN)
    rows = block.sentences.to_pylist()
    assert [(os.path.basename(r["shard"]), r["line"], r["offset"], r["text"]) for r in rows] == [
        ("a.txt", 0, 0, "one"),
        ("a.txt", 1, 4, "two"),
        ("c.txt", 2, 3, "three"),
    ]
    assert [(c.lines, c.embedded, c.blank, c.rejected, c.rows) for c in block.counts] == [
        (2, 2, 0, {}, 2),
        (3, 1, 1, {"invalid_utf8": 1}, 1),
    ]
    assert [(r["shard"], r["line"]) for r in block.rejects] == [(str(tmp_path / "c.txt"), 1)]


def test_only_a_changed_file_is_planned_again(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = formed(layout, files(tmp_path, a=b"one\n", b=b"two\n", c=b"three\n"))
    files(tmp_path, b=b"other\n")
    read: list[str] = []

    def watched(path: str, run: Settings) -> Plan:
        read.append(path)
        return make_plan(path, run)

    monkeypatch.setattr("elmo_beam.transforms.plan.make_plan", watched)
    after = plan_pack(layout, before.stem, RUN)
    assert after is not None
    assert read == [str(tmp_path / "b.txt")]
    assert (after.stem, after.plans[0], after.plans[2]) == (
        before.stem,
        before.plans[0],
        before.plans[2],
    )
    assert after.keys != before.keys
    assert [key.stem for key in after.keys] == [key.stem for key in before.keys]


def test_files_that_grew_or_were_compressed_make_more_blocks(
    layout: Layout, tmp_path: Path
) -> None:
    paths = files(tmp_path, a=b"one\n", b=b"two\n")
    paths.append(str(tmp_path / "c.txt.gz"))
    Path(paths[-1]).write_bytes(gzip.compress(b"many words\n" * 30))
    pack = formed(layout, paths)
    sizes = [[piece.block.length for piece in key.pieces] for key in pack.keys]
    assert sizes == [[4, 4], [99], [99], [99], [33]]
    raws = list(read_pack(layout, pack.stem, RUN))
    assert [raw.key for raw in raws] == pack.keys
    assert sum(len(raw) for raw in raws) == 32


def test_what_is_done_is_not_read_again(layout: Layout, tmp_path: Path) -> None:
    pack = formed(layout, files(tmp_path, a=b"one\n", b=b"two\n"))
    [raw] = read_pack(layout, pack.stem, RUN)
    write_block(layout, RUN, embedded_block(normalized(raw, RUN), RUN))
    os.remove(tmp_path / "a.txt")
    assert list(read_pack(layout, pack.stem, RUN)) == []
    assert recorded_pack(layout, pack.stem) == pack


@pytest.mark.parametrize("fault", ["gone", "cut", "rewritten", "was damaged"])
def test_a_file_that_is_not_as_planned_costs_only_itself(
    layout: Layout, tmp_path: Path, fault: str
) -> None:
    paths = files(tmp_path, a=b"one\n", b=b"two\n", c=b"three\n")
    bad = tmp_path / "b.txt"
    if fault == "was damaged":
        bad.write_bytes(b"\x1f\x8b\x08 no text")
    pack = formed(layout, paths)
    if fault == "gone":
        bad.unlink()
    elif fault in ("cut", "rewritten"):
        bad.write_bytes(b"tw" if fault == "cut" else b"TWO\n")
    [raw] = read_pack(layout, pack.stem, RUN)
    assert lines_of(raw) == [("a.txt", 0, b"one"), ("c.txt", 0, b"three")]
    now = recorded_pack(layout, pack.stem)
    assert now is not None
    assert now.keys == [raw.key]
    assert [plan.good for plan in now.plans] == [True, False, True]
    assert bool(now.plans[1].unread) == (fault == "gone")
    assert bool(now.plans[1].damaged) == (fault != "gone")

    bad.write_bytes(b"whole again\n")
    again = plan_pack(layout, pack.stem, RUN)
    assert again is not None
    [raw] = read_pack(layout, pack.stem, RUN)
    assert [line[0] for line in lines_of(raw)] == ["a.txt", "b.txt", "c.txt"]


def test_a_file_that_was_only_touched_keeps_its_block(layout: Layout, tmp_path: Path) -> None:
    pack = formed(layout, files(tmp_path, a=b"one\n", b=b"two\n"))
    os.utime(tmp_path / "a.txt", (1, 1))
    [raw] = read_pack(layout, pack.stem, RUN)
    assert [raw.key] == pack.keys
    now = recorded_pack(layout, pack.stem)
    assert now is not None
    assert now.plans[0].shard == stat_shard(str(tmp_path / "a.txt")) != pack.plans[0].shard


def test_a_file_that_cannot_be_read_now_keeps_a_block_that_is_done(
    layout: Layout, tmp_path: Path
) -> None:
    pack = formed(layout, files(tmp_path, a=b"one\n", b=b"two\n"))
    [raw] = read_pack(layout, pack.stem, RUN)
    write_block(layout, RUN, embedded_block(normalized(raw, RUN), RUN))
    os.rename(tmp_path / "a.txt", tmp_path / "away")
    unread = plan_pack(layout, pack.stem, RUN)
    assert unread is not None
    assert unread.plans[0].unread == "No such file or directory"
    assert unread.keys == pack.keys
    assert list(read_pack(layout, pack.stem, RUN)) == []
