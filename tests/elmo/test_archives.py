"""Models in archives: of every kind and layout, and what would leave the cache or fill the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import multiprocessing
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from elmo_beam.elmo.files.archives import MOST_GROWTH, unpacked
from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from tests.helpers.hub_modules import make_tf1_module
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused

KINDS = ("model.zip", "model.tar.gz", "model.tgz", "model.tar.bz2", "model.tar", "MODEL.ZIP")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("ELMO_BEAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder in the published layout."""
    write_bilm(unmixed(OPTIONS), tmp_path / "model")
    return tmp_path / "model"


def pack(files: dict[str, bytes], archive: Path) -> Path:
    """Write an archive; its name says of which kind."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for name, content in files.items():
                opened.writestr(name, content)
        return archive
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2"}.get(archive.suffix, "w")
    with tarfile.open(str(archive), mode) as packed:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return archive


def files_of(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """The files of a folder by the names that they get in an archive."""
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    return {f"{prefix}{file.relative_to(folder)}": file.read_bytes() for file in found}


@pytest.mark.parametrize("prefix", ["", "./", "elmo/", "a/b/"])
@pytest.mark.parametrize("name", KINDS)
def test_a_model_in_an_archive(model: Path, tmp_path: Path, name: str, prefix: str) -> None:
    extra = {"README": b"of the model", "__MACOSX/._options.json": b"\0", f"{prefix}.DS_Store": b""}
    archive = pack({**files_of(model, prefix), **extra}, tmp_path / name)
    assert read_weights(archive).digest == unmixed(OPTIONS).digest
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    kept -= {".contents", *(name for name in kept if name.endswith(".lock"))}
    assert kept == {"options.json", "weights.hdf5"}


def test_a_module_in_an_archive(tmp_path: Path) -> None:
    like_google = replace(OPTIONS, max_characters=50, cell_clip=3.0, proj_clip=3.0)
    module = make_tf1_module(unmixed(like_google), tmp_path / "module")
    archive = pack(files_of(module, "./"), tmp_path / "3.tar.gz")
    assert read_weights(archive).digest == unmixed(like_google).digest


def test_an_archive_is_unpacked_once(model: Path, tmp_path: Path) -> None:
    archive = pack(files_of(model), tmp_path / "model.zip")
    folder = unpacked(archive)
    before = (folder / "weights.hdf5").stat()
    moved = archive.rename(tmp_path / "under another name.zip")
    assert unpacked(moved) == folder
    assert (folder / "weights.hdf5").stat() == before
    other = pack({**files_of(model), "vocab.txt": b"more"}, tmp_path / "model.zip")
    assert unpacked(other) != folder


@pytest.mark.parametrize("file", ["weights.hdf5", "options.json", None])
@pytest.mark.parametrize("remove", [True, False])
def test_what_is_damaged_in_the_cache_is_unpacked_again(
    model: Path, tmp_path: Path, file: str | None, remove: bool
) -> None:
    archive = pack(files_of(model), tmp_path / "model.zip")
    folder = unpacked(archive)
    for path in folder.iterdir():
        if file in (None, path.name) and remove:
            path.unlink()
        elif file in (None, path.name):
            data = path.read_bytes()
            path.write_bytes(data[:-4] + bytes(4))
    assert read_weights(archive).digest == unmixed(OPTIONS).digest


def test_what_an_interrupted_process_left_is_removed(
    model: Path, tmp_path: Path, cache: Path
) -> None:
    archive = pack(files_of(model), tmp_path / "model.zip")
    folder = unpacked(archive)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    folder.rename(unfinished)
    (unfinished / "weights.hdf5").write_bytes(b"half of them")
    assert read_weights(archive).digest == unmixed(OPTIONS).digest
    assert not unfinished.exists()


def test_two_processes_at_once(model: Path, tmp_path: Path) -> None:
    archive = pack(files_of(model), tmp_path / "model.zip")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        folders = pool.map(unpacked, [archive] * 4)
    assert len(set(folders)) == 1
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == [".contents", "options.json", "weights.hdf5"]


def test_an_archive_of_several_models(model: Path, tmp_path: Path) -> None:
    files = {**files_of(model, "en/"), **files_of(model, "de/")}
    archive = pack(files, tmp_path / "models.zip")
    with refused(archive, "de, en", "--model"):
        read_weights(archive)


@pytest.mark.parametrize("files", [{}, {"README": b"nothing"}, {"a/options.json": b"{}"}])
def test_an_archive_of_no_model(tmp_path: Path, files: dict[str, bytes]) -> None:
    with refused(tmp_path / "model.zip", "no ELMo"):
        read_weights(pack(files, tmp_path / "model.zip"))


@pytest.mark.parametrize("kind", ["model.zip", "model.tar.gz"])
@pytest.mark.parametrize(
    "name",
    ["../outside.json", "a/../../outside.json", "/{}/outside.json", "..\\outside.json",
     "C:outside.json", "../outside"],
)  # fmt: skip
def test_a_path_that_leads_elsewhere(
    model: Path, tmp_path: Path, cache: Path, kind: str, name: str
) -> None:
    files = {**files_of(model), name.format(tmp_path): b"{}"}
    with refused(tmp_path / kind, "not inside it"):
        read_weights(pack(files, tmp_path / kind))
    assert not list(tmp_path.rglob("*outside*"))
    assert not [path for path in cache.rglob("*") if path.name == "options.json"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_a_tar_of_more_than_files(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("options.json")
    info.type, info.linkname = kind, "../../outside"
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.addfile(info)
    with refused(tmp_path / "model.tar.gz", "link or device"):
        read_weights(tmp_path / "model.tar.gz")


def test_a_zip_with_a_link(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("options.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr(info, "../../outside")
    with refused(tmp_path / "model.zip", "link"):
        read_weights(tmp_path / "model.zip")


@pytest.mark.parametrize("kind", ["model.zip", "model.tar.gz", "model.tar.bz2"])
def test_a_bomb(tmp_path: Path, cache: Path, kind: str) -> None:
    """150 MB in some 150 kB."""
    archive = pack({"weights.hdf5": bytes(150 << 20)}, tmp_path / kind)
    assert archive.stat().st_size * MOST_GROWTH < 80 << 20
    with refused(archive, "far more than its size"):
        read_weights(archive)
    assert sum(path.stat().st_size for path in cache.rglob("*")) < 1 << 20


@pytest.mark.parametrize(
    "files", [{"x" * 300 + ".json": b"{}"}, {"x.json": b"{}", "x.json/y.json": b"{}"}]
)
def test_names_that_no_folder_can_have(
    model: Path, tmp_path: Path, files: dict[str, bytes]
) -> None:
    archive = pack({**files_of(model), **files}, tmp_path / "model.zip")
    with refused("cannot unpack", archive):
        read_weights(archive)


def test_a_file_twice(model: Path, tmp_path: Path) -> None:
    archive = pack(files_of(model), tmp_path / "model.tar")
    with tarfile.open(archive, "a") as more:
        more.add(model / "options.json", "options.json")
    with refused(archive):
        read_weights(archive)


@pytest.mark.parametrize("name", KINDS[:4])
def test_an_archive_cut_anywhere(model: Path, tmp_path: Path, name: str) -> None:
    data = pack(files_of(model), tmp_path / name).read_bytes()
    for size in range(0, len(data) - 1, 1 + len(data) // 12):
        (tmp_path / name).write_bytes(data[:size])
        with refused(tmp_path / name):
            read_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("model.zip", lambda data: data),
        ("model.tar.gz", gzip.compress),
        ("model.tar.bz2", bz2.compress),
        ("model.tgz", lambda data: data),
    ],
)
def test_what_is_no_archive(tmp_path: Path, name: str, packed: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(packed(b"no archive at all" * 100))
    with refused(tmp_path / name):
        read_weights(tmp_path / name)


def test_an_encrypted_zip(model: Path, tmp_path: Path) -> None:
    archive = pack(files_of(model), tmp_path / "model.zip")
    data = bytearray(archive.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(mark, place + 4)
    archive.write_bytes(data)
    with refused(archive, "encrypted"):
        read_weights(archive)
