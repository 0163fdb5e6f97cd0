"""An input file as it is now."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import IO

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.files.storage import filesystem, is_remote, open_remote

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
ESCAPE = re.compile(r"\\x[0-9a-f]{2}")
CHANGED = "changed while it was read: run the same command again"


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
        return compression_of(self.path)

    @property
    def seekable(self) -> bool:
        """Whether a reader can start in the middle."""
        return self.compression is None


def compression_of(path: str) -> str | None:
    """`gzip`, `bz2` or `zstd`, by the last suffix of a file's name; None for any other."""
    return COMPRESSIONS.get(os.path.splitext(path)[1].lower())


def written(path: str) -> str:
    """A path as it is shown and recorded: in UTF-8, on one line.

    What is neither UTF-8 nor fit for a line becomes a backslash, x and its number in hexadecimal.
    No file has that name, so it costs no more than itself, and `stat_shard` says why.
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def stat_shard(path: str) -> Shard:
    """The file as it is now; raises Damaged if it cannot be seen, or is none that can be reread."""
    try:
        if is_remote(path):
            metadata = filesystem(path).metadata(path)
            return Shard(path, metadata.size_in_bytes, metadata.last_updated_in_seconds or 0.0)
        status = os.stat(path)
    except Exception as error:  # each filesystem raises its own
        if ESCAPE.search(path):
            raise Damaged("has a name that is not printable UTF-8: rename the file") from None
        raise Damaged(f"cannot be opened: {cause_of(error)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise Damaged("is a directory: name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise Damaged("is a pipe, a socket or a device: save its text to a file, and name that")
    return Shard(path, status.st_size, status.st_mtime)


def open_raw(path: str) -> IO[bytes]:
    """The file's bytes as they are on disk."""
    return open_remote(path) if is_remote(path) else open(path, "rb")
