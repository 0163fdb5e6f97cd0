"""An HDF5 file is whole, or an error says why not, whichever of its writes goes wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.pipeline.job.hdf5_file import write_arrays
from tests.helpers.refusal import refused

pwrite = os.pwrite


@cache
def arrays() -> dict[str, np.ndarray]:
    """Enough small ones to fill several nodes of HDF5's trees, an empty and a larger one."""
    rng = np.random.default_rng(4)
    sizes = [*[7] * 20, 0, 20_000]
    found = {str(i): rng.normal(size=(n, 2)).astype(np.float32) for i, n in enumerate(sizes)}
    return {**found, "index": np.array(['{"é": 1}'], object)}


def assert_whole(path: Path) -> None:
    with h5py.File(path) as file:
        assert set(file) == set(arrays())
        assert file["index"].asstr()[()].tolist() == ['{"é": 1}']
        for name, want in arrays().items():
            if name != "index":
                assert (file[name].dtype, file[name].shape) == (want.dtype, want.shape)
                np.testing.assert_array_equal(file[name], want)


class Disk:
    """Writes as the system does, until the write of this number."""

    def __init__(self, number: int, instead: Callable[[int, Any, int], int], once: bool) -> None:
        self.writes, self._number, self._instead, self._once = 0, number, instead, once

    def __call__(self, descriptor: int, data: Any, at: int) -> int:
        self.writes += 1
        if self.writes == self._number or (self.writes > self._number and not self._once):
            return self._instead(descriptor, data, at)
        return pwrite(descriptor, data, at)


def full(descriptor: int, data: Any, at: int) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lost(descriptor: int, data: Any, at: int) -> int:
    return len(data)


def half(descriptor: int, data: Any, at: int) -> int:
    return pwrite(descriptor, data[: max(1, len(data) // 2)], at)


Use = Callable[..., Disk]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Use:
    def use(
        number: int, instead: Callable[[int, Any, int], int] = pwrite, once: bool = True
    ) -> Disk:
        made = Disk(number, instead, once)
        monkeypatch.setattr(os, "pwrite", made)
        return made

    return use


@pytest.fixture
def writes(tmp_path: Path, disk: Use) -> int:
    """How many there are if none fails."""
    counted = disk(0)
    write_arrays(str(tmp_path / "whole"), arrays().items())
    assert_whole(tmp_path / "whole")
    assert counted.writes > 40
    return counted.writes


@pytest.mark.parametrize("once", [True, False])
def test_whichever_write_the_system_refuses_is_the_error(
    tmp_path: Path, disk: Use, writes: int, once: bool
) -> None:
    for number in range(1, writes + 1):
        used = disk(number, full, once)
        with pytest.raises(OSError, match="No space left"):
            write_arrays(str(tmp_path / str(number)), arrays().items())
        assert used.writes == number  # nothing more is tried


@pytest.mark.parametrize("once", [True, False])
def test_a_write_that_is_lost_is_seen_in_reading_back(
    tmp_path: Path, disk: Use, writes: int, once: bool
) -> None:
    seen = 0
    for number in range(1, writes + 1):
        disk(number, lost, once)
        path = tmp_path / str(number)
        try:
            write_arrays(str(path), arrays().items())
        except UserError as error:
            assert "do not read back" in str(error) and len(str(error).splitlines()) == 1
            seen += 1
        else:  # it said what was there already, or a later one said it again
            assert_whole(path)
    assert seen > writes / 2


def test_a_write_of_a_part_is_completed(tmp_path: Path, disk: Use) -> None:
    disk(1, half, once=False)
    write_arrays(str(tmp_path / "file"), arrays().items())
    assert_whole(tmp_path / "file")


def test_a_file_that_cannot_be_lengthened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "ftruncate", lambda *_: full(0, b"", 0))
    with pytest.raises(OSError, match="No space left"):
        write_arrays(str(tmp_path / "file"), arrays().items())


def test_an_error_of_the_vectors_own_goes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, np.ndarray]]:
        yield from arrays().items()
        raise UserError("a part is damaged")

    with refused("a part is damaged"):
        write_arrays(str(tmp_path / "file"), broken())
