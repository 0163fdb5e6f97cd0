"""Remote filesystems for tests: Beam finds what is in a dictionary under `memory://`.

Under `choosy://` it finds nothing, and only with options, as on S3.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from apache_beam.io.filesystem import CompressionTypes, FileMetadata, FileSystem

FILES: dict[str, bytes] = {}
FAILING: set[str] = set()  # files whose upload breaks at once, and leaves nothing
BREAKING: dict[str, int] = {}  # files whose upload breaks after this many bytes, and leaves them


class _Upload(io.BytesIO):
    """Like an object store's writer, finishes the upload on close, even after an exception."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def write(self, data: Any) -> int:
        size = self.tell() + len(data)
        if self._path in FAILING or size > BREAKING.get(self._path, size):
            raise ConnectionError("the store hung up")
        return super().write(data)

    def close(self) -> None:
        if not self.closed and self._path not in FAILING:
            FILES[self._path] = self.getvalue()
        super().close()


class MemoryFileSystem(FileSystem):
    """Files by their address; there are no folders, as in an object store."""

    @classmethod
    def scheme(cls) -> str:
        return "memory"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        raise AssertionError("object stores have no folders")

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path, data in sorted(FILES.items()):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(data), 1000.5)

    def create(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> BinaryIO:
        assert compression_type == CompressionTypes.UNCOMPRESSED
        return _Upload(path)

    def open(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> BinaryIO:
        assert compression_type == CompressionTypes.UNCOMPRESSED
        if path not in FILES:
            raise FileNotFoundError(path)
        return io.BytesIO(FILES[path])

    def exists(self, path: str) -> bool:
        return path in FILES

    def size(self, path: str) -> int:
        return len(FILES[path])

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(FILES[path]), 1000.5)

    def last_updated(self, path: str) -> float:
        return 1000.5

    def checksum(self, path: str) -> str:
        raise AssertionError("nothing asks for a checksum")

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            del FILES[path]

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise AssertionError("nothing is copied")

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise AssertionError("nothing is renamed: object stores copy")


class ChoosyFileSystem(MemoryFileSystem):
    """Like Beam's for S3, can be made without options, and then fails when it is used."""

    def __init__(self, pipeline_options: object) -> None:
        super().__init__(pipeline_options)
        self._options = pipeline_options

    @classmethod
    def scheme(cls) -> str:
        return "choosy"

    def exists(self, path: str) -> bool:
        if self._options is None:
            raise ValueError("Must provide one of client or options")
        return False
