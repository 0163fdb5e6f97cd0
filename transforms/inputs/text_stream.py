"""The decompressed bytes of a text file."""

from __future__ import annotations

import os
import re
from typing import Any

import pyarrow as pa

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.inputs.shards import Damaged, Shard, SourceFile, Unread

MAGIC = {
    rb"(\xff\xfe|\xfe\xff)(?s:.{0,4096}?)\x00": "UTF-16, to be converted to UTF-8",
    rb"\x1f\x8b": "gzip data, whose name must end in .gz",
    rb"BZh[1-9]1AY&SY": "bzip2 data, whose name must end in .bz2",
    rb"\x28\xb5\x2f\xfd": "zstd data, whose name must end in .zst",
    rb"PAR1[\x00-\x1f]": "Parquet, whose name must end in .parquet",
}


class TextStream:
    """The decompressed bytes of a shard, in order. Unread and Damaged are all that it raises."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        try:
            if shard.compression and not shard.size:
                raise OSError(f"it is empty, which is not valid {shard.compression} data")
            self._file: Any = SourceFile(shard.path)
            if shard.compression:
                self._file = pa.CompressedInputStream(pa.PythonFile(self._file), shard.compression)
        except Unread:
            raise
        except Exception as error:
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
        except Unread:
            raise
        except Exception as error:
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


def check_magic(head: bytes) -> None:
    """Raises Damaged if text begins as UTF-16, a compressed or a Parquet file does."""
    for magic, name in MAGIC.items():
        if re.match(magic, head):
            raise Damaged(f"is not UTF-8 text: it is {name}")
