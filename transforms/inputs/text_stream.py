"""The decompressed bytes of a text file."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.inputs.shards import Damaged, Shard, open_raw


class TextStream:
    """The decompressed bytes of a shard, in order. Every failure is Damaged."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        try:
            if shard.compression and not shard.size:
                raise OSError(f"it is empty, which is not valid {shard.compression} data")
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
        """Move forward by this many decompressed bytes."""
        if self._shard.seekable:
            self._file.seek(size, os.SEEK_CUR)
            return
        while size > 0:
            read = len(self.read(min(size, 1 << 20)))
            if not read:
                return
            size -= read
