"""An HDF5 file that is known to hold what was written to it, or an error.

Where the system refuses a write, HDF5 may crash as it closes the file, and h5py may pass over it.
So HDF5 writes through a file of ours that never fails, but remembers what went wrong; and what was
written is read again.
"""

from __future__ import annotations

import contextlib
import io
import os
import zlib
from collections.abc import Iterable, Iterator

import h5py
import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of


def write_arrays(path: str, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a new file with one dataset per array, and read it back; strings are object arrays.

    Raises OSError if the system refuses a write, UserError if the file does not read back as it was
    written.
    """
    written: dict[str, int] = {}
    with open(path, "xb+", buffering=0) as raw:
        file = _UnfailingFile(raw)
        with file.error_raised(), h5py.File(file, "w") as hdf5:
            for name, array in arrays:
                kind = h5py.string_dtype() if array.dtype == object else array.dtype
                hdf5.create_dataset(name, data=array, dtype=kind)
                written[name] = _checksum(array)
                if file.error:
                    break
    try:
        with h5py.File(path, "r") as hdf5:
            found = {name: _checksum(_read(hdf5[name])) for name in hdf5}
    except Exception as error:  # of a damaged file h5py raises anything
        raise _not_kept(cause_of(error)) from None
    if found != written:
        wrong = next(name for name in [*written, *found] if found.get(name) != written.get(name))
        raise _not_kept(f"dataset {wrong[:60]!r} differs")


class _UnfailingFile:
    """What h5py takes for a file. After the first error, which it keeps, it writes nothing more."""

    def __init__(self, raw: io.FileIO) -> None:
        self._descriptor = raw.fileno()
        self._at = self._end = 0
        self.error: Exception | None = None

    @contextlib.contextmanager
    def error_raised(self) -> Iterator[None]:
        """Raise the error in place of what it leads to in the block, or after it."""
        try:
            yield
        except Exception:
            if self.error is None:
                raise
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        self._at = offset + (self._end if whence == io.SEEK_END else 0)

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        raise io.UnsupportedOperation("h5py knows a file by this method, and calls readinto")

    def readinto(self, buffer: memoryview) -> None:
        data = b""
        with self._error_kept():
            data = os.pread(self._descriptor, len(buffer), self._at)
        buffer[:] = data.ljust(len(buffer), b"\0")

    def write(self, data: memoryview) -> None:
        end = self._at + len(data)
        with self._error_kept():
            while data and self.error is None:
                data = data[os.pwrite(self._descriptor, data, end - len(data)) :]
        self._at, self._end = end, max(end, self._end)

    def truncate(self, size: int) -> None:
        with self._error_kept():
            if self.error is None:
                os.ftruncate(self._descriptor, size)
        self._end = size

    def flush(self) -> None:
        """Nothing: there is no buffer."""

    @contextlib.contextmanager
    def _error_kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = self.error or error


def _checksum(array: np.ndarray) -> int:
    """Of shape and values."""
    data = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return zlib.crc32(data, zlib.crc32(repr((array.shape, array.dtype)).encode()))


def _read(dataset: h5py.Dataset) -> np.ndarray:
    text = h5py.check_string_dtype(dataset.dtype)
    return np.asarray(dataset.asstr()[()] if text else dataset[()])


def _not_kept(why: str) -> UserError:
    return UserError(
        f"the vectors do not read back as they were written ({why}): the disk may be failing, so "
        "name an output on another"
    )
