"""PyTorch's files: what they hold is read, and nothing in them is run."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.files.torch_file import TorchFile
from tests.helpers.refusal import refused

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from random_many_langs import save

ARRAYS: dict[str, np.ndarray] = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "half": np.array([0.5, -2], np.float16),
    "double": np.array(0.25),
    "long": np.array([[7], [1 << 20]], np.int64),
    "int": np.arange(3, dtype=np.int32),
    "none": np.zeros((0, 4), np.float32),
}


@pytest.mark.parametrize("zipped", [False, True])
def test_tensors_of_every_type(tmp_path: Path, zipped: bool) -> None:
    save(ARRAYS, tmp_path / "x.pkl", zipped)
    file = TorchFile(tmp_path / "x.pkl")
    assert file.shapes == {name: array.shape for name, array in ARRAYS.items()}
    for name, array in ARRAYS.items():
        assert file.read(name).dtype == np.float32
        np.testing.assert_array_equal(file.read(name), array.astype(np.float32))


@settings(max_examples=40)
@given(array=nps.arrays(np.float32, nps.array_shapes(min_dims=0, min_side=0)), zipped=st.booleans())
def test_any_array(
    array: np.ndarray, zipped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    save({"x": array}, path, zipped)
    np.testing.assert_array_equal(TorchFile(path).read("x"), array)


def pickled(tensor: str, key: str = "V0\n", kind: str = "FloatStorage", count: int = 6) -> bytes:
    """A dictionary of one tensor, in pickle's protocol 0. tensor: offset, shape, strides."""
    storage = f"(Vstorage\nctorch\n{kind}\n{key}Vcpu\nI{count}\nNtQ"
    rebuilt = f"ctorch._utils\n_rebuild_tensor\n({storage}{tensor}tR"
    return f"ccollections\nOrderedDict\n(tRVx\n{rebuilt}s.".encode()


def sequence(state: bytes, count: int = 6) -> bytes:
    """A file of the older format with one storage of six floats."""
    system = {"protocol_version": 1001, "little_endian": True}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    values = np.arange(6, dtype="<f4").tobytes()
    return b"".join([*head, state, pickle.dumps(["0"], 2), struct.pack("<q", count), values])


@pytest.mark.parametrize(
    ("tensor", "want"),
    [
        ("I0\n(I2\nI3\nt(I3\nI1\nt", [[0, 1, 2], [3, 4, 5]]),
        ("I0\n(I3\nI2\nt(I1\nI3\nt", [[0, 3], [1, 4], [2, 5]]),
        ("I2\n(I2\nt(I3\nt", [2, 5]),
        ("I5\n(t(t", 5),
        ("I1\n(I2\nI2\nt(I0\nI1\nt", [[1, 2], [1, 2]]),
    ],
    ids=["whole", "transposed", "from an offset", "a number", "repeated"],
)
def test_views_of_a_storage(tmp_path: Path, tensor: str, want: Any) -> None:
    (tmp_path / "x.pkl").write_bytes(sequence(pickled(tensor)))
    np.testing.assert_array_equal(TorchFile(tmp_path / "x.pkl").read("x"), want)


@pytest.mark.parametrize(
    "state",
    [
        pickled("I0\n(I2\nI4\nt(I3\nI1\nt"),
        pickled("I1\n(I2\nI3\nt(I3\nI1\nt"),
        pickled("I-1\n(I2\nt(I1\nt"),
        pickled("I0\n(I2\nt(I-1\nt"),
        pickled("I0\n(I-2\nt(I1\nt"),
        pickled("I0\n(I2\nt(I1\nI1\nt"),
        pickled("I0\n(I2\nt(F0.5\nt"),
        pickled("I0\n(I2\nt(I9223372036854775807\nt"),
        pickled("I0\n(I4294967296\nI4294967296\nt(I0\nI0\nt"),
        pickled("I0\n(I2\nt(I1\nt", count=7),
        pickled("I0\n(I2\nt(I1\nt", count=1 << 40),
        pickled("I0\n(I2\nt(I1\nt", count=-6),
        pickled("I0\n(I2\nt(I1\nt", key="V1\n"),
        pickled("I0\n(I2\nt(I1\nt", key="(l"),
        pickled("I0\n(I2\nt(I1\nt", kind="ObjectStorage"),
        pickled("I0\n(I2\nt(I1\nt", kind="nn"),
        pickled("I0\nI2\nI1\n"),
        pickle.dumps([1, 2]),
        pickle.dumps(None),
        b"",
    ],
    ids=[
        "stride", "offset", "negative offset", "negative stride", "negative size", "ranks", "real",
        "far stride", "huge", "count", "huge count", "negative count", "no key", "key of a list",
        "type", "module", "no shape", "list", "none", "empty",
    ],
)  # fmt: skip
def test_tensors_that_are_not_in_the_file(tmp_path: Path, state: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(sequence(state))
    with refused(path):
        TorchFile(path).read("x")


class Runs:
    """Runs a command if it is unpickled."""

    def __init__(self, call: Callable[..., object], *args: object) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> Any:
        return self.call, self.args


@pytest.mark.parametrize("place", ["state", "head", "zip"])
@pytest.mark.parametrize("call", ["system", "eval", "getattr"])
def test_a_pickle_that_would_run_something(tmp_path: Path, place: str, call: str) -> None:
    import os

    ran = tmp_path / "ran"
    evil = {
        "system": Runs(os.system, f"touch {ran}"),
        "eval": Runs(eval, f"open({str(ran)!r}, 'w')"),
        "getattr": Runs(getattr, os, "getcwd"),
    }[call]
    path = tmp_path / "x.pkl"
    if call == "getattr":  # modules cannot be pickled; the same by hand
        data = b"c__builtin__\ngetattr\n(cos\nsystem\nVx\ntR."
    else:
        data = pickle.dumps({"x": evil}, 2)
    if place == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", data)
    else:
        path.write_bytes(data if place == "head" else sequence(data))
    with refused(path, "asks for"):
        TorchFile(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    "state",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n}V__defaults__\n(tsb.",
        b"ctorch\nFloatStorage\n}V__class__\nNsb.",
        b"ccollections\nOrderedDict\n(tR}Vshape\nI1\nsb.",
        b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI6\nNtQ}Vcount\nI-6\nsb.",
        b"\x80\x04r\xff\xff\xff\xff.",
        b"\x80\x04N\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"ccopy_reg\n_reconstructor\n.",
        b"\x82\x01.",
    ],
    ids=["function", "type", "dictionary", "storage", "memo", "long text", "copyreg", "extension"],
)
def test_pickles_that_would_change_or_exhaust_the_process(tmp_path: Path, state: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(sequence(state))
    with refused(tmp_path / "x.pkl"):
        TorchFile(tmp_path / "x.pkl").read("x")
    (tmp_path / "y.pkl").write_bytes(sequence(pickled("I0\n(I2\nt(I1\nt")))
    np.testing.assert_array_equal(TorchFile(tmp_path / "y.pkl").read("x"), [0, 1])


def test_a_storage_that_a_pickle_changes_after_its_tensor(tmp_path: Path) -> None:
    """What counts is what it is at the end."""
    state = (
        b"ccollections\nOrderedDict\n(tRVx\nctorch._utils\n_rebuild_tensor\n("
        b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI6\nNtQp1\nI0\n(I6\nt(I1\nttRs"
        b"g1\n}Vcount\nI600\nsb0."
    )
    pickletools.dis(state, out=io.StringIO())  # it is one
    (tmp_path / "x.pkl").write_bytes(sequence(state))
    with refused(tmp_path / "x.pkl"):
        TorchFile(tmp_path / "x.pkl").read("x")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_cut_anywhere(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "x.pkl"
    save(ARRAYS, path, zipped)
    data = path.read_bytes()
    for size in range(0, len(data), 1 + len(data) // 150):
        path.write_bytes(data[:size])
        with refused(path):
            file = TorchFile(path)
            for name in ARRAYS:
                file.read(name)


def test_a_bytearray_that_declares_an_exabyte_is_not_allocated(tmp_path: Path) -> None:
    """Python's unpickler allocates it before it reads it."""
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x05\x96" + (1 << 60).to_bytes(8, "little") + b".")
    with refused(path, "bytearray"):
        TorchFile(path)


@settings(max_examples=150)
@given(data=st.data(), zipped=st.booleans())
def test_a_damaged_file_gives_arrays_or_one_line(
    data: st.DataObject, zipped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    save(ARRAYS, path, zipped)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        file = TorchFile(path)
        for name in file.shapes:
            file.read(name)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_a_compressed_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    save(ARRAYS, path, zipped=True)
    with zipfile.ZipFile(path) as stored:
        files = {name: stored.read(name) for name in stored.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with refused(path, "compressed"):
        TorchFile(path)
