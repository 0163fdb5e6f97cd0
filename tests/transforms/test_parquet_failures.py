"""Parquet in little memory, and whatever fails while it is read as damage in one line."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.inputs import parquet, shards
from elmo_beam.transforms.inputs.shards import Damaged, Unread
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import HEAD, make_settings, raw_lines, read_blocks, read_shard

MIB = 1 << 20


def most_held(action: Callable[[], Any]) -> int:
    """The most bytes that Arrow holds while something is done."""
    before = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(before)
    pa.set_memory_pool(counted)
    try:
        action()
    finally:
        pa.set_memory_pool(before)
    return int(counted.max_memory())


A_PAGE_EACH = {"use_dictionary": False, "write_batch_size": 1, "data_page_size": 1}
IN_DICTIONARY = {"dictionary_pagesize_limit": 1 << 30}
SHAPES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "large texts": (lambda: [b"%d" % i + b"x" * MIB for i in range(100)], A_PAGE_EACH),
    "small texts, then large ones": (
        lambda: [b"x"] * 5000 + [b"%d" % i + b"x" * (MIB // 4) for i in range(400)],
        A_PAGE_EACH,
    ),
    "one text, in Parquet's dictionary": (lambda: [b"x" * MIB] * 100, IN_DICTIONARY),
    "one text, in Arrow's dictionary": (
        lambda: pa.DictionaryArray.from_arrays([0] * 100, [b"x" * MIB]),
        IN_DICTIONARY,
    ),
    "texts that differ from the last by little": (
        lambda: [b"x" * MIB + b"%d" % i for i in range(100)],
        {**A_PAGE_EACH, "column_encoding": "DELTA_BYTE_ARRAY"},
    ),
    "texts too long to embed": (lambda: [b"x" * (4 * MIB)] * 25, IN_DICTIONARY),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_100_mib_of_text_takes_less(tmp_path: Path, shape: str) -> None:
    make, options = SHAPES[shape]
    path, run = str(tmp_path / "a.parquet"), make_settings(block_size=MIB)
    pq.write_table(pa.table({"text": make()}), path, **options)

    def read() -> None:
        plan = make_plan(path, run)
        assert plan.damaged is None
        rows = sum(table.num_rows for table in read_blocks(plan.shard, plan.blocks, run))
        assert rows == pq.read_metadata(path).num_rows

    assert most_held(read) < 80 * MIB


def test_of_a_text_too_long_only_the_head_is_held_whatever_the_dictionary(tmp_path: Path) -> None:
    texts = pa.array([b"a" * (MIB + 1), b"b" * MIB], pa.binary())
    column = pa.DictionaryArray.from_arrays([1, 0, None, 0], texts)
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    lines = raw_lines(read_shard(str(tmp_path / "a.parquet"), make_settings())[1])
    long = (b"a" * HEAD, MIB + 1)
    assert lines == [(b"b" * MIB, MIB, 0), (*long, 1), (None, 0, 2), (*long, 3)]


class RemoteError(Exception):
    """As a remote filesystem raises it."""


ERRORS = [
    (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"),
    (OSError(errno.EACCES, os.strerror(errno.EACCES)), "Permission denied"),
    (RemoteError("503\nservice unavailable"), "503"),
    (MemoryError(), "MemoryError"),
]


@pytest.mark.parametrize(("error", "cause"), ERRORS, ids=lambda e: type(e).__name__)
def test_a_file_that_cannot_be_read_is_no_damage_and_is_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    texts = [np.random.default_rng(i).bytes(100_000) for i in range(100)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", **A_PAGE_EACH)
    path, data = str(tmp_path / "a.parquet"), (tmp_path / "a.parquet").read_bytes()
    whole = make_plan(path, make_settings())
    opened: list[io.BytesIO] = []
    left = 0  # reads that succeed

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal left
            left -= 1
            if left < 0:
                raise error
            return super().read(size)

    def failing(_: str) -> io.BytesIO:
        opened.append(Failing(data))
        return opened[-1]

    monkeypatch.setattr(shards, "_opened", failing)
    for reads in range(4):
        for action in (
            lambda: parquet.cut_file(whole.shard, make_settings()),
            lambda: list(parquet.read_rows(whole.shard, whole.blocks, make_settings())),
        ):
            left = reads
            with pytest.raises(Unread) as caught:
                action()
            assert str(caught.value) == cause
    assert all(file.closed for file in opened)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pa.ArrowNotImplementedError("no such codec"), Damaged),
        (OSError("Corrupt snappy compressed data"), Damaged),
        (pa.ArrowMemoryError("malloc of size 4398046511104 failed"), Unread),
    ],
)
def test_what_cannot_be_decoded_is_damage_but_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    pq.write_table(pa.table({"text": ["text"]}), tmp_path / "a.parquet")
    whole = make_plan(str(tmp_path / "a.parquet"), make_settings())

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", fail)
    with pytest.raises(kind, match=str(error)):
        parquet.cut_file(whole.shard, make_settings())


def test_content_is_the_bytes_of_the_file_and_not_its_time(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["text"] * 100}), path)
    content = make_plan(str(path), make_settings()).content
    assert content == hashlib.sha256(path.read_bytes()).hexdigest()
    os.utime(path, (1, 1))
    assert make_plan(str(path), make_settings()).content == content
    pq.write_table(pa.table({"text": ["other"]}), path)
    assert make_plan(str(path), make_settings()).content != content
