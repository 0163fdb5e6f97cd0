"""The decompressed bytes of a text file."""

from __future__ import annotations

import bz2
import os
import zlib
from collections.abc import Callable
from typing import Any

import zstandard

from elmo_beam.elmo.errors import cause_of
from elmo_beam.transforms.inputs.shards import Damaged, Shard, SourceFile, Unread

# Bytes decompressed at a time: zstd and bzip2 make at most 128 MiB of them, gzip 64 MiB.
ZSTD_PIECE, BZ2_PIECE, GZIP_PIECE = 4 << 10, 4 << 10, 64 << 10
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # for zlib: with gzip's header and checksum
LARGEST_WINDOW = 1 << 31  # bytes; what `zstd --ultra --long=31` writes


class TextStream:
    """The decompressed bytes of a shard, in order. Unread and Damaged are all that it raises."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        if shard.compression and not shard.size:
            raise Damaged(f"is empty, which is not valid {shard.compression} data")
        self._raw = SourceFile(shard.path)
        self._file = _decompressed(self._raw, shard.compression)

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

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
        except MemoryError as error:  # the next try may find more
            raise Unread(cause_of(error)) from None
        except Exception as error:  # whatever a decompressor raises
            raise Damaged(f"cannot be read to its end: {cause_of(error)}") from None
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        """Move forward by this many decompressed bytes."""
        if self._shard.seekable:
            self._raw.seek(size, os.SEEK_CUR)
            return
        while size > 0:
            read = len(self.read(min(size, 1 << 20)))
            if not read:
                return
            size -= read


def _decompressed(raw: SourceFile, compression: str | None) -> Any:
    """A file of the decompressed bytes, of all members or frames of a compressed file.

    It raises EOFError, OSError without errno, zlib.error or ZstdError at a truncated one, and at
    whatever else follows the last.
    """
    if compression == "gzip":
        return _Members(raw, lambda: zlib.decompressobj(GZIP_FORMAT), GZIP_PIECE, padding=b"\0")
    if compression == "zstd":
        zstd = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        return _Members(raw, zstd.decompressobj, ZSTD_PIECE)
    if compression == "bz2":
        return _Members(raw, bz2.BZ2Decompressor, BZ2_PIECE)
    return raw


class _Members:
    """The members of a gzip file, the streams of a bzip2 or the frames of a zstd one, in turn.

    pyarrow's reader takes no zeros after the last member, and no frame with a window over 128 MiB,
    and stumbles over empty bzip2 streams; zstandard's ends without an error where a frame is cut.
    """

    def __init__(
        self, raw: SourceFile, begin: Callable[[], Any], piece: int, padding: bytes = b""
    ) -> None:
        """begin: makes the decompressor of a member. padding: what may follow each of them."""
        self._raw, self._begin, self._piece, self._padding = raw, begin, piece, padding
        self._member = begin()  # None between two of them
        self._unread = self._decompressed = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none only at the end; EOFError if a member is cut off."""
        while not self._decompressed:
            data = self._unread or self._raw.read(self._piece)
            if not data and self._member is None:
                return b""
            if not data:
                raise EOFError("truncated compressed data")
            if self._member is None:
                data = data.lstrip(self._padding)
                self._member = self._begin() if data else None
            self._unread = b""
            if self._member is not None:
                self._decompressed = self._member.decompress(data)
                if self._member.eof:
                    self._unread, self._member = self._member.unused_data, None
        read, self._decompressed = self._decompressed[:size], self._decompressed[size:]
        return read
