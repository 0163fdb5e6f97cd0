"""Input files: which there are, and what each is now."""

from __future__ import annotations

import contextlib
import glob
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, TypeVar

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.remote import (
    filesystem,
    is_remote,
    open_remote,
    remote,
    remote_cause,
)
from elmo_beam.transforms.files.retry import may_pass, retried, tries
from elmo_beam.transforms.files.storage import exists

T = TypeVar("T")

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
CHANGED = "changed while it was read: run the same command again"


class Damaged(Exception):
    """A file that cannot be embedded as it is; the message says why. A result, not a failure.

    Its bytes are not what they should be, or have changed: reading it again would not help.
    """


class Unread(Exception):
    """A file that cannot be read now; the message is the cause. A result, not a failure."""


@dataclass(frozen=True)
class Shard:
    """One input file as it is now: absolute path or URL, bytes on disk, time of its last change.

    The time is the status change's (ctime) where local: nobody sets that back, as tools that copy
    files do with the modification time.
    """

    path: str
    size: int
    modified: float

    @property
    def compression(self) -> str | None:
        """`gzip`, `bz2` or `zstd`, by the last suffix."""
        return compression_of(self.path)

    @property
    def seekable(self) -> bool:
        """Whether a reader can start in the middle."""
        return self.compression is None


def compression_of(path: str) -> str | None:
    """`gzip`, `bz2` or `zstd`, by the last suffix of a file's name; None for any other."""
    return COMPRESSIONS.get(os.path.splitext(path)[1].lower())


def expand_inputs(patterns: Sequence[str]) -> list[str]:
    """Absolute paths and URLs of the files that the patterns name, each once, sorted.

    A path that exists is taken literally, any other as a glob. Raises UserError for one that
    matches nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        files = _remote_files(pattern) if is_remote(pattern) else _local_files(pattern)
        if not files:
            raise UserError(f"`inputs` {pattern} matches no file: check the path, quote the glob")
        found.update(files)
    for path in found:
        if not path.isprintable():
            raise UserError(f"`inputs` {path!r} is not a printable UTF-8 name: rename the file")
    return sorted(found)


def _local_files(pattern: str) -> list[str]:
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        raise UserError(f"`inputs` {pattern} is a folder: name its files, as in '{pattern}/*.txt'")
    if os.path.lexists(path):
        return [path]
    # Not the absolute pattern: the current folder's own name may look like a glob.
    found = glob.glob(pattern, recursive=True)
    return [os.path.abspath(f) for f in found if not os.path.isdir(f)]


def _remote_files(pattern: str) -> list[str]:
    if exists(pattern):
        return [pattern]
    return remote(pattern, lambda s: [f.path for f in s.match([pattern])[0].metadata_list])


def stat_shard(path: str) -> Shard:
    """The file as it is now; raises Unread if it cannot be seen."""

    def stat() -> Shard:
        if is_remote(path):
            found = filesystem(path).metadata(path)
            return Shard(path, found.size_in_bytes, found.last_updated_in_seconds or 0.0)
        status = os.stat(path)
        return Shard(path, status.st_size, status.st_ctime)

    try:
        return retried(stat)
    except Exception as error:  # each filesystem raises its own
        raise Unread(remote_cause(error)) from None


class SourceFile(io.RawIOBase):
    """A file's bytes as they are on disk, local or remote.

    After an error that may pass it is opened again and read on from the same place; one that does
    not pass is Unread.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._position = 0
        self._tried(lambda file: None)

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes from here."""
        data = self._tried(lambda file: file.read(-1 if size is None else size))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, and tell which."""
        if whence == os.SEEK_CUR:
            offset, whence = self._position + offset, os.SEEK_SET
        self._position = self._tried(lambda file: file.seek(offset, whence))
        return self._position

    def tell(self) -> int:
        """The place in the file."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Let the file go."""
        self._let_go()
        super().close()

    def _tried(self, action: Callable[[IO[bytes]], T]) -> T:
        for last in tries():
            try:
                if self._file is None:
                    self._file = _opened(self._path)
                    self._file.seek(self._position)
                return action(self._file)
            except Exception as error:  # each filesystem raises its own
                self._let_go()
                if last or not may_pass(error):
                    raise Unread(remote_cause(error)) from None
        raise AssertionError("the last try returns or raises")

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(Exception):
                file.close()


def _opened(path: str) -> IO[bytes]:
    return open_remote(path) if is_remote(path) else open(path, "rb")
