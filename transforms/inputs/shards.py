"""An input file as it is now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.files.storage import filesystem, is_remote, open_remote

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
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


def stat_shard(path: str) -> Shard:
    """The file as it is now; raises Damaged if it cannot be seen."""
    try:
        if is_remote(path):
            metadata = filesystem(path).metadata(path)
            return Shard(path, metadata.size_in_bytes, metadata.last_updated_in_seconds or 0.0)
        status = os.stat(path)
        return Shard(path, status.st_size, status.st_mtime)
    except Exception as error:  # each filesystem raises its own
        raise Damaged(f"cannot be opened: {cause_of(error)}") from None


def open_raw(path: str) -> IO[bytes]:
    """The file's bytes as they are on disk."""
    return open_remote(path) if is_remote(path) else open(path, "rb")
