"""Models in archives, unpacked into the cache: only files that a model has, only inside it."""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.cache import cached
from elmo_beam.elmo.files.regular_files import check_regular, sha256_of
from elmo_beam.elmo.wording import counted

ZIPS, TARS = (".zip",), (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar")
ARCHIVES = (*ZIPS, *TARS)
KNOWN = (
    "*.json", "*.hdf5", "*.h5", "*.dic", "*.pkl", "vocab*.txt", "saved_model.pb",
    "tfhub_module.pb", "variables.*", "checkpoint", "*.ckpt-*", "assets/*",
)  # fmt: skip
MOST_FILES = 10_000
# Weights hardly shrink: what grows more than this many times was made to fill a disk.
MOST_GROWTH, ALWAYS_ALLOWED = 20, 1 << 26
CHUNK = 1 << 20  # bytes
OF_THE_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE
)  # fmt: skip


def is_archive(name: str) -> bool:
    """Whether a file is an archive, by its name."""
    return name.lower().endswith(ARCHIVES)


def unpacked(archive: Path) -> Path:
    """The folder of what is in an archive, unpacked the first time.

    Raises UserError if the archive is damaged, or has what no model has.
    """
    check_regular(archive)
    return cached(f"archives/{sha256_of(archive)}", lambda empty: _unpack(archive, empty))


def _unpack(archive: Path, folder: Path) -> None:
    most = ALWAYS_ALLOWED + MOST_GROWTH * archive.stat().st_size
    members = _zip_members if archive.name.lower().endswith(ZIPS) else _tar_members
    left, files = most, 0
    try:
        for name, content in members(archive, most):
            path = folder / _safe(name)
            files += 1
            if files > MOST_FILES:
                raise ValueError(f"it has more than {counted(MOST_FILES, 'file')}")
            if not is_known(name):
                continue
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            left = _write(path, content, left)
    except Exception as error:  # of a damaged archive the libraries raise anything
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise
        raise UserError(f"cannot unpack {archive} ({cause_of(error)}): fetch it again") from None


def _safe(name: str) -> PurePosixPath:
    """The path of a member; ValueError if it leads out of the archive's folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name:
        raise ValueError(f"its file {name!r} is not inside it")
    return path


def is_known(name: str) -> bool:
    """Whether a file of a model may have this name, a path relative to the model's folder."""
    path = PurePosixPath(name)
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    return any(fnmatchcase(path.name, p) or fnmatchcase(name, f"*{p}") for p in KNOWN)


def _write(path: Path, content: IO[bytes], left: int) -> int:
    """Write a file; how many bytes may still be unpacked. ValueError if there are too many."""
    if path.exists():
        raise ValueError(f"it has {path.name!r} twice")
    with path.open("wb") as file:
        while chunk := content.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ValueError("it unpacks to far more than its size")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return left


def _zip_members(archive: Path, most: int) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                raise ValueError(f"its {info.filename!r} is a link")
            _safe(info.filename)
            if not info.is_dir():
                with opened.open(info) as content:
                    yield info.filename, content


def _tar_members(archive: Path, most: int) -> Iterator[tuple[str, IO[bytes]]]:
    with _decompressed(archive) as stream:
        # A bound on the stream, since tarfile reads headers of any length into memory.
        bounded: Any = _Bounded(stream, most)
        with tarfile.open(fileobj=bounded, mode="r|") as opened:
            for member in opened:
                _safe(member.name)
                if member.isdir():
                    continue
                content = opened.extractfile(member) if member.isfile() else None
                if content is None:
                    raise ValueError(f"its {member.name!r} is a link or device")
                yield member.name, content


def _decompressed(archive: Path) -> IO[bytes]:
    """A tar's own bytes, whatever its name says it is compressed with."""
    with archive.open("rb") as file:
        begin = file.read(3)
    if begin[:2] == b"\x1f\x8b":
        return gzip.open(archive)  # type: ignore[return-value]
    return bz2.open(archive) if begin == b"BZh" else archive.open("rb")


class _Bounded:
    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._left = stream, most

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError("it unpacks to far more than its size")
        return self._stream.read(size)
