"""A damaged file is a result that names its cause; nothing of it is planned."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.plan import Plan, make_plan
from tests.helpers.blocks import COMPRESSIONS, make_settings, write_shard

TEXT = b"".join(b"line %d of a text that is long enough\n" % i for i in range(2000))


def assert_damaged(plan: Plan, *causes: str) -> None:
    assert plan.damaged is not None
    assert (plan.blocks, plan.lines, plan.content) == ([], 0, "")
    assert len(plan.damaged.splitlines()) == 1
    for cause in causes:
        assert cause in plan.damaged


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_compressed_file_cut_anywhere_is_damaged(
    tmp_path: Path, suffix: str, members: int
) -> None:
    packed = COMPRESSIONS[suffix](b"some lines\n" * 40)
    path = tmp_path / f"a.txt{suffix}"
    for size in range(1, len(packed)):
        path.write_bytes(packed * (members - 1) + packed[:size])
        assert_damaged(make_plan(str(path), make_settings()), "cannot be read to its end")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
def test_a_large_compressed_file_cut_at_its_end_is_damaged(tmp_path: Path, suffix: str) -> None:
    packed = COMPRESSIONS[suffix](TEXT * 30)
    path = tmp_path / f"a.jsonl{suffix}"
    for size in (1, 2, 8, len(packed) // 2):
        path.write_bytes(packed[:-size])
        assert_damaged(make_plan(str(path), make_settings()))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
def test_a_compressed_file_with_changed_data_is_damaged(tmp_path: Path, suffix: str) -> None:
    packed = bytearray(COMPRESSIONS[suffix](TEXT))
    packed[len(packed) // 2] ^= 0x10
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(packed)
    assert_damaged(make_plan(str(path), make_settings()))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("content", [b"plain text\n", b"", b"\n"])
def test_what_is_not_compressed_but_named_so_is_damaged(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(content)
    assert_damaged(make_plan(str(path), make_settings()))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("name", ["a.txt", "a", "a.jsonl", "a.txt.gzip"])
def test_what_is_compressed_but_not_named_so_is_damaged(
    tmp_path: Path, suffix: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSIONS[suffix](TEXT))
    assert_damaged(make_plan(str(path), make_settings()), "is not UTF-8 text", suffix)


def test_what_is_compressed_twice_or_parquet_inside_is_damaged(tmp_path: Path) -> None:
    twice = write_shard(tmp_path / "a.txt.gz", gzip.compress(TEXT))
    assert_damaged(make_plan(twice, make_settings()), "is not UTF-8 text", ".gz")
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "b.parquet")
    inside = write_shard(tmp_path / "b.parquet.gz", (tmp_path / "b.parquet").read_bytes())
    assert_damaged(make_plan(inside, make_settings()), "is not UTF-8 text", ".parquet")
    (tmp_path / "b.parquet").rename(tmp_path / "b.txt")
    assert_damaged(make_plan(str(tmp_path / "b.txt"), make_settings()), ".parquet")


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.parquet"])
def test_a_folder_is_damaged_and_a_missing_file_unread(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert make_plan(str(path), make_settings()).unread == "No such file or directory"
    path.mkdir()
    assert_damaged(make_plan(str(path), make_settings()), "is a directory")
    path.rmdir()
    path.symlink_to(tmp_path / "gone")
    plan = make_plan(str(path), make_settings())
    assert (plan.unread, plan.damaged) == ("No such file or directory", None)
    assert not plan.good


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.jsonl.zst", "a.parquet"])
def test_what_is_no_file_is_damaged_and_nothing_waits_for_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    path = tmp_path / name
    os.mkfifo(path)
    assert_damaged(make_plan(str(path), make_settings()), "a pipe", "save its text to a file")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        assert_damaged(make_plan(str(path), make_settings()), "a socket")
    path.unlink()
    for device in ("/dev/zero", "/dev/null"):
        path.symlink_to(device)
        assert_damaged(make_plan(str(path), make_settings()), "a device")
        path.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_is_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    path.chmod(0)
    assert make_plan(str(path), make_settings()).unread == "Permission denied"


@pytest.mark.parametrize("kept", [0, 3, 4, 8, 100, -1, -4, -8, -9])
def test_parquet_that_is_cut_is_damaged(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(1000)]}), path)
    path.write_bytes(path.read_bytes()[:kept])
    assert_damaged(make_plan(str(path), make_settings()), "cannot be opened as Parquet")


def test_parquet_with_a_changed_page_of_the_text_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"text {i}" for i in range(10_000)]})
    pq.write_table(table, path, write_page_checksum=True, compression="none")
    data = path.read_bytes()
    assert data.count(b"text 5000") == 1
    path.write_bytes(data.replace(b"text 5000", b"text 5x00"))  # as good a text as any
    assert_damaged(make_plan(str(path), make_settings()), "cannot be read to its end")


@pytest.mark.parametrize(
    ("columns", "changes", "causes"),
    [
        ({"body": ["a"], "title": ["b"]}, {}, ("no column 'text'", "body, title")),
        ({"text": ["a"]}, {"text_column": "Text"}, ("no column 'Text'",)),
        ({"text": ["a"]}, {"id_field": "key"}, ("no column 'key'",)),
        ({"text": [1, 2]}, {}, ("column 'text' is int64, not text",)),
        ({"text": [1.5]}, {}, ("column 'text' is double, not text",)),
        ({"text": [["a"]]}, {}, ("column 'text' is list",)),
        ({"text": [{"text": "a"}]}, {}, ("column 'text' is struct",)),
        ({"text": pa.array([1, 1]).dictionary_encode()}, {}, ("column 'text' is",)),
    ],
)
def test_parquet_without_the_column_of_text_is_damaged(
    tmp_path: Path, columns: dict[str, Any], changes: dict[str, Any], causes: tuple[str, ...]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    assert_damaged(make_plan(str(path), make_settings(**changes)), *causes)


def test_parquet_with_two_columns_of_the_name_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = [pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text"]), path)
    assert_damaged(make_plan(str(path), make_settings()), "text")


@pytest.mark.parametrize("content", [b"just text\n", b"", gzip.compress(TEXT)])
def test_what_is_not_parquet_but_named_so_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    assert_damaged(make_plan(str(path), make_settings()), "cannot be opened as Parquet")
