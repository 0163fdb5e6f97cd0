"""Input files: which there are, and what each is now."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.transforms.files.storage import (
    exists,
    filesystem,
    is_remote,
    open_remote,
    remote_errors_explained,
)

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
    with remote_errors_explained(pattern):
        return [f.path for f in filesystem(pattern).match([pattern])[0].metadata_list]


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
