"""Text shards to raw lines: where each begins and ends, byte for byte."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.shards import stat_shard
from elmo_beam.transforms.inputs.text_stream import TextStream
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import (
    COMPRESSIONS,
    HEAD,
    LIMIT,
    lines_of_bytes,
    make_settings,
    raw_lines,
    read_blocks,
    read_shard,
    write_shard,
)

BOM = b"\xef\xbb\xbf"
PIECES = [
    b"a",
    b"bc",
    b"\n",
    b"\r",
    b"\r\n",
    BOM,
    b"\x01",
    b"\xff",
    "\u2028é".encode(),
    b"\x0b\x0c",
]
Line = tuple[bytes | None, int, int]


def slow_lines(data: bytes) -> list[Line]:
    """The definition of lines: (text, its length, offset), by their order."""
    lines: list[Line] = []
    offset = 0
    for line in lines_of_bytes(data):
        text = line.removeprefix(BOM).removesuffix(b"\n").removesuffix(b"\r")
        lines.append((text, len(text), offset))
        offset += len(line)
    return lines


def read(path: Path, data: bytes, block_size: int = 1 << 18) -> list[Line]:
    """The lines that the pipeline reads from this text; checks their numbers too."""
    plan, blocks = read_shard(write_shard(path, data), make_settings(block_size=block_size))
    numbers = [b.key.pieces[0].block.line + i for b in blocks for i in range(len(b))]
    assert numbers == list(range(plan.lines))
    return raw_lines(blocks)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.integers(1, 50))
@example(BOM, 1)
@example(BOM + b"\n", 1)
@example(BOM + b"\r\n" + BOM + b"a\n", 3)
@example(b"a\r\r\n\r\n\r", 2)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_the_definition_at_any_block_size(
    tmp_path: Path, data: bytes, block_size: int
) -> None:
    assume(not data.startswith(b"\xff" * 4))  # which is how Arrow's streams begin
    assert read(tmp_path / "a.txt", data, block_size) == slow_lines(data)


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("block_size", [7, 1000, 1 << 18])
def test_lines_are_the_same_from_every_compression(
    tmp_path: Path, suffix: str, block_size: int
) -> None:
    data = b"".join(b"%d" % i * (i % 40) + b"\r\n" for i in range(500)) + b"the end"
    assert read(tmp_path / f"a.txt{suffix}", data, block_size) == slow_lines(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nbc\n", [(b"a", 1, 0), (b"bc", 2, 2)]),
        (b"a\nbc", [(b"a", 1, 0), (b"bc", 2, 2)]),
        (b"\n\n", [(b"", 0, 0), (b"", 0, 1)]),
        (b"a\r\nb\r\r\nc\r", [(b"a", 1, 0), (b"b\r", 2, 3), (b"c", 1, 7)]),
        (b"a\rb\n", [(b"a\rb", 3, 0)]),
        (BOM + b"a\n" + BOM + b"b\n", [(b"a", 1, 0), (b"b", 1, 5)]),
        (b"a\n" + BOM + b"\n" + BOM, [(b"a", 1, 0), (b"", 0, 2), (b"", 0, 6)]),
        (b"a" + BOM + b"\n", [(b"a" + BOM, 4, 0)]),
        (BOM + BOM + b"a", [(BOM + b"a", 4, 0)]),
        (b"\n\n\n\na\0b\n", [*((b"", 0, i) for i in range(4)), (b"a\0b", 3, 4)]),
        ("a\u2028b\u0085c\n".encode(), [("a\u2028b\u0085c".encode(), 8, 0)]),
        (b"a\x0bb\x0cc\x1cd\n", [(b"a\x0bb\x0cc\x1cd", 7, 0)]),
        (b"\xff\xfe\n", [(b"\xff\xfe", 2, 0)]),
    ],
)
def test_what_ends_a_line_and_what_does_not(
    tmp_path: Path, data: bytes, expected: list[Line]
) -> None:
    assert read(tmp_path / "a.txt", data) == expected


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_some_blocks_of_a_shard_can_be_read_alone(tmp_path: Path, suffix: str) -> None:
    data = b"".join(b"line %d\n" % i for i in range(200))
    path = write_shard(tmp_path / f"a.txt{suffix}", data)
    run = make_settings(block_size=100)
    plan, blocks = read_shard(path, run)
    assert len(blocks) > 15
    for chosen in (slice(3, 4), slice(1, None, 4), slice(-1, None)):
        tables = list(read_blocks(plan.shard, plan.blocks[chosen], run))
        assert [t.to_pylist() for t in tables] == [b.tables[0].to_pylist() for b in blocks[chosen]]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_line_too_long_to_hold_leaves_its_head_and_its_length(
    tmp_path: Path, suffix: str
) -> None:
    long = b"".join(b"%07d " % i for i in range(10 << 17))  # 10 MiB
    data = b"before\n" + long + b"\nafter\n"
    path = write_shard(tmp_path / f"a.txt{suffix}", data)
    plan, run = make_plan(path, make_settings()), make_settings()
    tracemalloc.start()
    try:
        tables = list(read_blocks(plan.shard, plan.blocks, run))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row["raw"] for row in rows] == [b"before", long[:HEAD], b"after"]
    assert [row["length"] for row in rows] == [6, 10 << 20, 5]
    assert [row["offset"] for row in rows] == [0, 7, 7 + (10 << 20) + 1]


@pytest.mark.parametrize("begin", [b"", BOM], ids=["", "BOM"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_is_kept_whole_up_to_one_mebibyte_of_text(
    tmp_path: Path, begin: bytes, end: bytes
) -> None:
    for size in range(LIMIT - 1, LIMIT + 4):
        text = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        for block_size in (1 << 10, 1 << 18, 1 << 24):
            [(raw, length, offset)] = read(tmp_path / "a.txt", begin + text + end, block_size)
            assert (length, offset) == (size, 0)
            assert raw == (text if size <= LIMIT else text[:HEAD])


def test_a_long_line_is_read_the_same_in_blocks_of_any_size(tmp_path: Path) -> None:
    data = b"a\n" + BOM + b"x" * (LIMIT + 100) + b"\r\n" + b"b\r\n"
    for size in (100, 1 << 18, 1 << 22):
        lines = read(tmp_path / "a.txt", data, size)
        assert [line[1:] for line in lines] == [(1, 0), (LIMIT + 100, 2), (1, LIMIT + 107)]
        assert [raw for raw, _, _ in lines] == [b"a", b"x" * HEAD, b"b"]


def test_a_stream_reads_and_skips_exactly(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000  # 5 MB, of which a skip reads some in pieces
    for suffix in COMPRESSIONS:
        shard = stat_shard(write_shard(tmp_path / f"a.bin{suffix}", data))
        with TextStream(shard) as stream:
            assert stream.read(10) == data[:10]
            stream.skip(3 << 20)
            start = 10 + (3 << 20)
            assert stream.read(1000) == data[start : start + 1000]
            stream.skip(0)
            assert stream.read(1 << 30) == data[start + 1000 :]
            assert stream.read(5) == b""
