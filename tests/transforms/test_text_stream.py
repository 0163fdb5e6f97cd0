"""Compressed files as people have them: members, padding, long windows; and what is none."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.inputs import shards
from elmo_beam.transforms.inputs.shards import Damaged, Unread, stat_shard
from elmo_beam.transforms.inputs.text_stream import TextStream
from tests.helpers.blocks import COMPRESSIONS, write_shard

TEXT = b"".join(b"line %d of a text that is long enough\n" % i for i in range(5000))
SKIPPABLE = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"abcde"


def zstd(data: bytes, window_log: int = 17) -> bytes:
    """A frame of unknown size, whose header asks for this window whatever it needs."""
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = bytearray(packer.compress(data) + packer.flush())
    assert not frame[4] & 0x20  # no single segment: the next byte is the window's
    frame[5] = (window_log - 10) << 3
    return bytes(frame)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstd,
}


def read(path: Path, size: int = 1 << 20) -> bytes:
    with TextStream(stat_shard(str(path))) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("window_log", range(20, 32))
def test_zstd_of_any_window_is_read_and_a_cut_found(tmp_path: Path, window_log: int) -> None:
    path, frame = tmp_path / "a.zst", zstd(TEXT, window_log)
    path.write_bytes(frame + zstd(b"one more\n"))
    assert read(path) == TEXT + b"one more\n"
    path.write_bytes(zstd(b"one more\n") + frame[:-1])
    with pytest.raises(Damaged, match="cannot be read to its end: truncated"):
        read(path)


MEMBERS = st.lists(st.sampled_from([b"", b"\n", b"one bank\n", b"x" * 70_000, TEXT]), max_size=5)


@given(MEMBERS, st.sampled_from([".gz", ".bz2", ".zst"]), st.sampled_from([1, 3, 10, 1 << 20]))
@example([TEXT] * 3, ".zst", 1000)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_members_are_read_one_after_another(
    tmp_path: Path, members: list[bytes], suffix: str, size: int
) -> None:
    size = max(size, sum(map(len, members)) // 1000)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"".join(PACKED[suffix](data) for data in members) or PACKED[suffix](b""))
    assert read(path, size) == b"".join(members)


@pytest.mark.parametrize("zeros", [1, 2, 511, 64 << 10, 200_000])
def test_zeros_after_a_gzip_member_are_padding(tmp_path: Path, zeros: int) -> None:
    path, packed = tmp_path / "a.gz", gzip.compress(TEXT)
    path.write_bytes(packed + bytes(zeros))
    assert read(path) == TEXT
    path.write_bytes(packed + bytes(zeros) + gzip.compress(b"more\n") + bytes(zeros))
    assert read(path) == TEXT + b"more\n"
    for wrong in (bytes(zeros) + packed, packed + bytes(zeros) + b"x", packed[:-1]):
        path.write_bytes(wrong)
        with pytest.raises(Damaged, match="cannot be read to its end"):
            read(path)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("garbage", [b"x", b"PK", b"junk", b"\n", b"\x1f\x8b", bytes(3), TEXT])
def test_garbage_after_the_last_member_is_damage(
    tmp_path: Path, suffix: str, garbage: bytes
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(PACKED[suffix](TEXT) + garbage)
    if suffix == ".gz" and not garbage.strip(b"\0"):
        assert read(path) == TEXT
        return
    with pytest.raises(Damaged, match="cannot be read to its end"):
        read(path)


def test_zstd_frames_to_skip_are_skipped(tmp_path: Path) -> None:
    path, frame = tmp_path / "a.zst", zstd(TEXT)
    for data in (SKIPPABLE + frame, frame + SKIPPABLE, frame + SKIPPABLE + frame):
        path.write_bytes(data)
        assert read(path) == TEXT * data.count(frame)
    path.write_bytes(frame + SKIPPABLE[:-1])
    with pytest.raises(Damaged, match="truncated"):
        read(path)


class Failing(io.BytesIO):
    """A file on a disk that breaks after some bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() == len(self.getvalue()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_an_error_of_the_disk_is_no_damage_whatever_the_compression(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path / f"a{suffix}", TEXT)
    half = (tmp_path / f"a{suffix}").read_bytes()[:100]
    monkeypatch.setattr(shards, "_opened", lambda _: Failing(half))
    with pytest.raises(Unread, match=os.strerror(errno.EIO)):
        read(Path(path))
