"""An input file as it is now."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TypeVar

from elmo_beam.transforms.files.remote import filesystem, is_remote, open_remote, remote_cause
from elmo_beam.transforms.files.retry import retried

T = TypeVar("T")

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
# Control characters, separators of lines and paragraphs, and what bytes become that are not UTF-8.
UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
QUOTED = re.compile(rf"{UNWRITABLE.pattern}|[\\']")  # in a path that has any of them
QUOTE = "$'"  # begins such a path
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


def written(path: str) -> str:
    r"""A path as it is shown and recorded: in UTF-8, on one line.

    One that is not so is quoted, as in `$'/in/a\x09b'`, which bash reads. Neither a path nor a URL
    begins like that: what is quoted stands for no other file, costs no more than itself, and
    `stat_shard` says why.
    """
    if not UNWRITABLE.search(path):
        return path
    return f"{QUOTE}{QUOTED.sub(lambda match: _bytes_in_hex(match[0]), path)}'"


def _bytes_in_hex(text: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


def stat_shard(path: str) -> Shard:
    """The file as it is now; Unread if it cannot be seen, Damaged if it cannot be read twice."""
    if path.startswith(QUOTE):
        raise Damaged("has a name that is not printable UTF-8: rename the file")
    try:
        if is_remote(path):
            found = retried(lambda: filesystem(path).metadata(path))
            return Shard(path, found.size_in_bytes, found.last_updated_in_seconds or 0.0)
        status = retried(lambda: os.stat(path))
    except Exception as error:  # each filesystem raises its own
        raise Unread(remote_cause(error)) from None
    if stat.S_ISDIR(status.st_mode):
        raise Damaged("is a directory: name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise Damaged("is a pipe, a socket or a device: save its text to a file, and name that")
    return Shard(path, status.st_size, status.st_ctime)


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
        def done() -> T:
            try:
                if self._file is None:
                    self._file = _opened(self._path)
                    self._file.seek(self._position)
                return action(self._file)
            except Exception:
                self._let_go()
                raise

        try:
            return retried(done)
        except Exception as error:  # each filesystem raises its own
            raise Unread(remote_cause(error)) from None

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(Exception):
                file.close()


def _opened(path: str) -> IO[bytes]:
    return open_remote(path) if is_remote(path) else open(path, "rb")
