"""Tensors from a file of PyTorch's `torch.save`, read as data: no pickle in it can run anything.

Two formats, as `torch/serialization.py` writes them. The older one is five pickles in sequence
(magic number, protocol, about the system, the tensors' description, the keys of the storages), then
for each storage its size and its values; the later one is a zip of data.pkl and data/KEY.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import check_regular

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MOST_PICKLED = 1 << 24  # bytes; those of an ELMo have 4,000
TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


@dataclass(frozen=True)
class _Storage:
    key: str
    type: str
    count: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(TYPES[self.type])


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class TorchFile:
    """A dictionary of tensors.

    shapes: of every tensor, by name.
    """

    def __init__(self, path: Path) -> None:
        """Read the description of the tensors, and no tensor yet. Raises UserError."""
        self._path, self._size = path, check_regular(path)
        try:
            with path.open("rb") as file:
                zipped = file.read(4) == b"PK\x03\x04"
                file.seek(0)
                self._values, found = (_read_zipped if zipped else _read_sequence)(path, file)
            self._tensors = {str(k): t for k, t in found.items() if isinstance(t, _Tensor)}
            for name, tensor in self._tensors.items():
                self._check(name, tensor)
        except Exception as error:  # of a damaged or made-up pickle anything comes
            raise self._unreadable(error) from None
        self.shapes = {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, name: str) -> np.ndarray:
        """A tensor as float32; not to be written to. Raises UserError."""
        tensor = self._tensors[name]
        try:
            values = self._values(tensor.storage)
        except Exception as error:
            raise self._unreadable(error) from None
        size = tensor.storage.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(
            values[tensor.offset :], tensor.shape, [size * step for step in tensor.strides]
        )
        return np.ascontiguousarray(view, np.float32).reshape(tensor.shape)

    def _check(self, name: str, tensor: _Tensor) -> None:
        """ValueError if a tensor's values are not within its storage, or that not in the file.

        Only now, since a pickle may change any object of its own until its end.
        """
        shape, strides, storage = tensor.shape, tensor.strides, tensor.storage
        numbers = (*shape, *strides, tensor.offset, storage.count)
        if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"{name!r} has no possible shape")
        last = tensor.offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if math.prod(shape) > storage.count or (0 not in shape and last >= storage.count):
            raise ValueError(f"{name!r} reaches beyond its storage")
        if storage.count * storage.dtype.itemsize > self._size:
            raise ValueError(f"{name!r} declares more than the file holds")

    def _unreadable(self, error: Exception) -> UserError:
        return UserError(
            f"cannot read {self._path} as tensors of PyTorch ({cause_of(error)}): fetch the model "
            "again"
        )


Values = Callable[[_Storage], np.ndarray]  # reads a storage


def _read_sequence(path: Path, file: BinaryIO) -> tuple[Values, dict[Any, Any]]:
    """The older format: how to read a storage, and the unpickled dictionary."""
    magic, protocol, system, found, keys = (_Unpickler(file).load() for _ in range(5))
    if (magic, protocol) != (MAGIC, PROTOCOL) or not system.get("little_endian", True):
        raise ValueError("it is of another version")
    sizes = {t.storage.key: t.storage for t in found.values() if isinstance(t, _Tensor)}
    begins: dict[str, int] = {}
    for key in keys:
        begins[key] = file.tell() + 8
        count = file.read(8)
        storage = sizes.get(key)
        if storage is None or count != storage.count.to_bytes(8, "little"):
            raise ValueError(f"storage {key!r} is not as its tensor describes it")
        file.seek(begins[key] + storage.count * storage.dtype.itemsize)
    return partial(_from_sequence, path, begins), found


def _from_sequence(path: Path, begins: dict[str, int], storage: _Storage) -> np.ndarray:
    values = np.fromfile(path, storage.dtype, storage.count, offset=begins[storage.key])
    if len(values) < storage.count:
        raise ValueError("it is cut short")
    return values


def _read_zipped(path: Path, file: BinaryIO) -> tuple[Values, dict[Any, Any]]:
    """The later format: the same."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError("it has no data.pkl")
        with archive.open(_stored(archive, names[0])) as pickled:
            found = _Unpickler(pickled).load()
        folder = names[0].removesuffix(".pkl")
        order = folder.removesuffix("data") + "byteorder"
        if order in archive.namelist() and archive.read(_stored(archive, order)) != b"little":
            raise ValueError("its numbers are big-endian")
    return partial(_from_zip, path, folder), found


def _from_zip(path: Path, folder: str, storage: _Storage) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        info = _stored(archive, f"{folder}/{storage.key}")
        if info.file_size != storage.count * storage.dtype.itemsize:
            raise ValueError(f"storage {storage.key!r} is not as its tensor describes it")
        return np.frombuffer(archive.read(info), storage.dtype)


def _stored(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """PyTorch does not compress, so nothing here can grow as it is read."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name!r} is compressed, as PyTorch leaves nothing")
    return info


class _Unpickler(pickle._Unpickler):
    """Knows what a dictionary of tensors is made of, and gives stand-ins for that.

    In Python and not C, which a made-up pickle could have allocate without bound.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(_Bounded(file))

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in TYPES:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return lambda: _Tensors()
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: _Tensor(
                _of(_Storage, storage), offset, _of(tuple, size), _of(tuple, stride)
            )
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which tensors do not need")

    def _refuse_bytearray(self) -> None:
        """In place of an opcode that allocates what it declares before it reads it."""
        raise pickle.UnpicklingError("it has a bytearray, which tensors do not need")

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: _refuse_bytearray,
    }

    def persistent_load(self, pid: Any) -> Any:
        kind, storage_type, key, _, count, *view = _of(tuple, pid)
        if kind != "storage" or any(part is not None for part in view):
            raise pickle.UnpicklingError("it has a storage of an unknown kind")
        return _Storage(_of(str, key), _of(str, storage_type), count)


class _Tensors(dict[Any, Any]):
    """In place of an OrderedDict, whose own state (`_metadata`) is left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Bounded:
    """A file of which one pickle may read only so much."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MOST_PICKLED

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError("its pickle is too long")
        data: bytes = self._file.read(size)
        return data

    def readline(self) -> bytes:
        data: bytes = self._file.readline(self._left)
        self._left -= len(data)
        return data


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise pickle.UnpicklingError("it has a tensor that is none")
    return value
