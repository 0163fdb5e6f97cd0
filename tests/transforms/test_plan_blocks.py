"""The blocks of a text: whole lines, added until the next would exceed the size."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.blocks import Block, cut_rows, cut_text
from elmo_beam.transforms.inputs.records import CHUNK
from elmo_beam.transforms.inputs.text import line_bounds
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import (
    COMPRESSIONS,
    lines_of_bytes,
    make_settings,
    slow_blocks,
    write_shard,
)

LINES = st.lists(st.integers(0, 12).map(lambda n: b"x" * n), max_size=30)
TEXTS = st.one_of(
    st.builds(lambda lines, end: b"\n".join(lines) + end, LINES, st.sampled_from([b"", b"\n"])),
    st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"\0", b"\xff"])).map(b"".join),
)


@st.composite
def chunkings(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A text, and the same text in pieces, none of them empty."""
    data = draw(TEXTS)
    cuts = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)))) | {0, len(data)})
    return data, [data[a:b] for a, b in pairwise(cuts) if data[a:b]]


@given(chunkings(), st.integers(1, 40))
@example((b"", []), 8)
@example((b"\n", [b"\n"]), 1)
@example((b"aaaaaaaa", [b"aaaa", b"aaaa"]), 4)
@example((b"aaa\nbbb\n", [b"aaa\nbbb\n"]), 8)  # both fit exactly
@example((b"aaa\nbbbb\n", [b"aaa\nbbbb\n"]), 8)  # one byte too many
@example((b"a\nlong line\nb", [b"a\nlo", b"ng line", b"\nb"]), 4)
def test_blocks_are_those_of_the_definition_however_the_text_arrives(
    text: tuple[bytes, list[bytes]], size: int
) -> None:
    data, chunks = text
    assert cut_text(line_bounds(chunks, 0), size) == slow_blocks(data, size)


@given(TEXTS, st.integers(1, 40))
def test_blocks_tile_the_text_with_whole_lines(data: bytes, size: int) -> None:
    blocks = cut_text(line_bounds([data], 0), size)
    pieces = [data[b.start : b.start + b.length] for b in blocks]
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    assert [b.lines for b in blocks] == [len(lines_of_bytes(piece)) for piece in pieces]
    before = [sum(b.lines for b in blocks[:i]) for i in range(len(blocks))]
    assert [b.line for b in blocks] == before
    assert all(b.length <= size or b.lines == 1 for b in blocks)


@pytest.mark.parametrize(
    ("data", "size", "expected"),
    [
        (b"", 10, []),
        (b"one", 10, [Block(0, 3, 0, 1)]),
        (b"one\n", 10, [Block(0, 4, 0, 1)]),
        (b"a\nb\nc", 4, [Block(0, 4, 0, 2), Block(4, 1, 2, 1)]),
        (b"a\n0123456789\nb\n", 4, [Block(0, 2, 0, 1), Block(2, 11, 1, 1), Block(13, 2, 2, 1)]),
        (b"\n\n\n", 2, [Block(0, 2, 0, 2), Block(2, 1, 2, 1)]),
    ],
)
def test_blocks_of_small_texts(data: bytes, size: int, expected: list[Block]) -> None:
    assert cut_text(line_bounds([data], 0), size) == expected


@pytest.mark.parametrize("block_size", [1, 100, 4096])
def test_a_text_has_the_same_plan_however_it_is_compressed(tmp_path: Path, block_size: int) -> None:
    data = b"".join(b"line %d" % i + b"." * (i % 90) + b"\n" for i in range(300)) + b"no line feed"
    settings = make_settings(block_size=block_size)
    for suffix in COMPRESSIONS:
        plan = make_plan(write_shard(tmp_path / f"a.txt{suffix}", data), settings)
        assert plan.damaged is None
        assert plan.lines == 301
        assert plan.content == hashlib.sha256(data).hexdigest()
        assert plan.blocks == slow_blocks(data, block_size)


def test_lines_longer_than_what_is_read_at_once_are_planned(tmp_path: Path) -> None:
    long = b"x" * (2 * CHUNK + 5) + b"\n"
    data = b"first\n" + long + b"last"
    plan = make_plan(write_shard(tmp_path / "a.txt", data), make_settings())
    expected = [Block(0, 6, 0, 1), Block(6, len(long), 1, 1), Block(6 + len(long), 4, 2, 1)]
    assert plan.blocks == expected


def test_compressed_text_in_several_members_is_read_whole(tmp_path: Path) -> None:
    first, second = b"one\ntwo", b" more\nthree\n"
    for suffix, pack in COMPRESSIONS.items():
        path = tmp_path / f"a.txt{suffix}"
        path.write_bytes(pack(b"") + pack(first) + pack(second) + pack(b""))
        plan = make_plan(str(path), make_settings())
        assert plan.damaged is None
        assert plan.blocks == [Block(0, len(first + second), 0, 3)], suffix


# Not .bz2: Arrow's decompressor considers an empty member, which only an odd tool writes, to be
# damage. The file is then reported as damaged, so nothing is lost silently.
@pytest.mark.parametrize("suffix", sorted(set(COMPRESSIONS) - {".bz2"}))
def test_an_empty_member_between_others_does_no_harm(tmp_path: Path, suffix: str) -> None:
    path, pack = tmp_path / f"a.txt{suffix}", COMPRESSIONS[suffix]
    path.write_bytes(pack(b"one\n") + pack(b"") + pack(b"two\n"))
    plan = make_plan(str(path), make_settings())
    assert (plan.damaged, plan.lines) == (None, 2)


def test_text_that_compresses_to_nothing_has_no_blocks(tmp_path: Path) -> None:
    for suffix in COMPRESSIONS:
        plan = make_plan(write_shard(tmp_path / f"a.txt{suffix}", b""), make_settings())
        assert (plan.damaged, plan.blocks, plan.lines) == (None, [], 0), suffix


@pytest.mark.parametrize("rows_in_group", [1, 7, 1000])
def test_parquet_blocks_are_rows_of_about_the_size(tmp_path: Path, rows_in_group: int) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"{i:06d}" * 50 for i in range(500)]  # 300 bytes each
    pq.write_table(
        pa.table({"text": texts, "other": ["y" * 999] * 500}), path, row_group_size=rows_in_group
    )
    plan = make_plan(str(path), make_settings(block_size=3000))
    assert plan.damaged is None
    assert plan.lines == 500
    starts = [b.start for b in plan.blocks]
    assert starts == [sum(b.length for b in plan.blocks[:i]) for i in range(len(starts))]
    assert all((b.line, b.lines) == (b.start, b.length) for b in plan.blocks)
    assert 3 <= plan.blocks[0].length <= 10  # each page's statistics count too
    assert {b.length for b in plan.blocks[:-1]} == {plan.blocks[0].length}


def test_parquet_rows_longer_than_a_block_are_blocks_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{i}" * 5000 for i in range(3)]}), path)
    plan = make_plan(str(path), make_settings(block_size=100))
    assert plan.blocks == [Block(i, 1, i, 1) for i in range(3)]


@given(
    st.lists(st.integers(0, 5) | st.just(1000), max_size=60).map(np.array),
    st.integers(1, 50),
)
@example(np.array([1] * 100 + [1000] * 50), 20)
def test_rows_are_cut_evenly_but_where_they_are_far_larger(sizes: np.ndarray, size: int) -> None:
    blocks = cut_rows(sizes, int(sizes.sum()), size)
    assert [b.start for b in blocks] == [
        sum(b.length for b in blocks[:i]) for i in range(len(blocks))
    ]
    assert sum(b.length for b in blocks) == len(sizes)
    assert all((b.line, b.lines) == (b.start, b.length) for b in blocks)
    texts = [int(sizes[b.start : b.start + b.length].sum()) for b in blocks]
    assert all(text <= 16 * size or b.lines == 1 for b, text in zip(blocks, texts, strict=True))
    rows = max(1, size * len(sizes) // max(int(sizes.sum()), 1))
    even = range(0, len(sizes), rows)
    assert set(even) <= {b.start for b in blocks}
    if all(sizes[i : i + rows].sum() <= 16 * size for i in even):
        assert [b.start for b in blocks] == list(even)


def test_parquet_of_small_rows_and_then_large_ones_has_no_large_block(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x"] * 100_000 + ["y" * 10_000] * 100}), path)
    plan = make_plan(str(path), make_settings(block_size=10_000))
    assert plan.blocks[0].lines > 900
    assert max(b.lines for b in plan.blocks if b.start >= 100_000) <= 16


def test_parquet_without_rows_has_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    plan = make_plan(str(path), make_settings())
    assert (plan.damaged, plan.blocks) == (None, [])


def test_parquet_text_that_repeats_itself_still_gives_small_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"  # Parquet's dictionary keeps the repeated text once
    pq.write_table(pa.table({"text": ["the same long text " * 10] * 20_000}), path)
    plan = make_plan(str(path), make_settings(block_size=64 << 10))
    assert max(b.length for b in plan.blocks) * 190 <= 256 << 10
