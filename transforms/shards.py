"""Input files: which there are, what kind each is, and their bytes as text streams."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa

from elmo.errors import UserError, cause_of
from transforms.storage import exists, filesystems, is_remote, open_remote, reaching

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
MAGIC = {
    rb"(\xff\xfe|\xfe\xff)(?s:.{0,4096}?)\x00": "UTF-16, to be converted to UTF-8",
    rb"\x1f\x8b": "gzip data, whose name must end in .gz",
    rb"BZh[1-9]1AY&SY": "bzip2 data, whose name must end in .bz2",
    rb"\x28\xb5\x2f\xfd": "zstd data, whose name must end in .zst",
    rb"PAR1[\x00-\x1f]": "Parquet, whose name must end in .parquet",
}
CHANGED = "changed while it was read: run the same command again"
BOM = b"\xef\xbb\xbf"


class Damaged(Exception):
    """A file that cannot be embedded as it is; the message says why. A result, not a failure."""


@dataclass(frozen=True)
class Shard:
    """One input file as it is now: absolute path or URL, bytes on disk, modification time."""

    path: str
    size: int
    modified: float

    @property
    def compression(self) -> str | None:
        """`gzip`, `bz2` or `zstd`, by the last suffix."""
        return COMPRESSIONS.get(os.path.splitext(self.path)[1].lower())

    @property
    def kind(self) -> str:
        """`text`, `json` or `parquet`, by the suffix before the compression's."""
        name = os.path.splitext(self.path)[0] if self.compression else self.path
        suffix = os.path.splitext(name)[1].lower()
        if suffix in JSON_SUFFIXES:
            return "json"
        return "parquet" if suffix == ".parquet" and not self.compression else "text"

    @property
    def seekable(self) -> bool:
        """Whether a reader can start in the middle."""
        return self.compression is None


def expand_inputs(patterns: list[str]) -> list[str]:
    """Absolute paths and URLs of the files that `--input` names, each once, sorted.

    A path that exists is taken literally, any other as a glob. Raises UserError for one that gives
    nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        files = _remote_files(pattern) if is_remote(pattern) else _local_files(pattern)
        if not files:
            raise UserError(f"--input {pattern} matches no file: check the path, or quote the glob")
        found.update(files)
    for path in found:
        if not path.isprintable():
            raise UserError(f"--input {path!r} is no printable UTF-8 name: rename the file")
    return sorted(found)


def _local_files(pattern: str) -> list[str]:
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        raise UserError(f"--input {pattern} is a folder: name its files, as in '{pattern}/*.txt'")
    if os.path.lexists(path):
        return [path]
    # Not the absolute pattern: the folder that it is relative to may have a name like a glob.
    found = glob.glob(pattern, recursive=True)
    return [os.path.abspath(f) for f in found if not os.path.isdir(f)]


def _remote_files(pattern: str) -> list[str]:
    if exists(pattern):
        return [pattern]
    with reaching(pattern):
        return [f.path for f in filesystems().match([pattern])[0].metadata_list]


def stat_shard(path: str) -> Shard:
    """The file as it is now; raises Damaged where it cannot be seen."""
    try:
        if is_remote(path):
            metadata = filesystems().get_filesystem(path).metadata(path)
            return Shard(path, metadata.size_in_bytes, metadata.last_updated_in_seconds or 0.0)
        status = os.stat(path)
        return Shard(path, status.st_size, status.st_mtime)
    except Exception as error:  # each filesystem raises its own
        raise Damaged(f"cannot be opened: {cause_of(error)}") from None


def open_raw(path: str) -> IO[bytes]:
    """The file's bytes as they are on disk."""
    return open_remote(path) if is_remote(path) else open(path, "rb")


class TextStream:
    """The decompressed bytes of a text shard. Every failure is Damaged."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        try:
            if shard.compression and not shard.size:
                raise OSError(f"it is empty, which is no {shard.compression} data")
            self._file: Any = open_raw(shard.path)
            if shard.compression:
                self._file = pa.CompressedInputStream(pa.PythonFile(self._file), shard.compression)
        except Exception as error:  # remote filesystems raise their own
            raise Damaged(f"cannot be opened: {cause_of(error)}") from None

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        chunks = []
        try:
            while size > 0:
                chunk = self._file.read(size)
                if not chunk:
                    break
                chunks.append(chunk)
                size -= len(chunk)
        except Exception as error:  # remote filesystems raise their own
            raise Damaged(f"cannot be read to its end: {cause_of(error)}") from None
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        """Go forward by so many decompressed bytes."""
        if self._shard.seekable:
            self._file.seek(size, os.SEEK_CUR)
            return
        while size > 0:
            read = len(self.read(min(size, 1 << 20)))
            if not read:
                return
            size -= read


def check_magic(head: bytes) -> None:
    """Raises Damaged where text begins as UTF-16, a compressed or a Parquet file does."""
    for magic, name in MAGIC.items():
        if re.match(magic, head):
            raise Damaged(f"is not UTF-8 text: it is {name}")
