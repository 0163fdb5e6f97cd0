"""Models on an object store: fetched into the cache once for each state of the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import load_encoder, read_weights
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.models import local_handle
from elmo_beam.transforms.settings_checks import resolved
from elmo_beam.transforms.text_encoder import TextEncoder
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused
from tests.helpers.s3 import s3_in_this_process


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket."""
    with s3_in_this_process() as address:
        yield address


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of models."""
    monkeypatch.setenv("ELMO_BEAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(address: str, content: bytes) -> None:
    """Write an object."""
    with FileSystems.create(address) as file:
        file.write(content)


def put_model(address: str, folder: Path, seed: int = 0, prefix: str = "") -> str:
    """Write a model's files there; its digest."""
    weights = unmixed(OPTIONS, seed)
    write_bilm(weights, folder)
    for name in ("options.json", "weights.hdf5"):
        put(f"{address}/{prefix}{name}", (folder / name).read_bytes())
    return weights.digest


def test_a_folder(bucket: str, tmp_path: Path, cache: Path) -> None:
    address = f"{bucket}/models/english"
    digest = put_model(address, tmp_path / "model")
    put(f"{address}/README.md", b"not of the model")
    put(f"{address}/variables/variables.index", b"of a folder below")
    place = Path(local_handle(address + "/"))
    assert place.is_relative_to(cache)
    assert read_weights(place).digest == digest
    files = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert files - {".contents"} == {"options.json", "variables/variables.index", "weights.hdf5"}
    assert local_handle(address) == str(place), "fetched twice"
    time.sleep(1.1)  # S3 knows times to the second
    changed = put_model(address, tmp_path / "model", seed=1)
    assert read_weights(local_handle(address)).digest == changed


def test_one_of_several_weights(bucket: str, tmp_path: Path) -> None:
    digests = [
        put_model(f"{bucket}/several", tmp_path / "model", seed, prefix)
        for seed, prefix in enumerate(("a_", "b_"))
    ]
    for digest, name in zip(digests, ("a_weights.hdf5", "b_weights.hdf5"), strict=True):
        handle = local_handle(f"{bucket}/several/{name}")
        assert read_weights(handle).digest == digest
        assert [path.name for path in Path(handle).parent.glob("*.hdf5")] == [name]


def test_an_archive(bucket: str, tmp_path: Path) -> None:
    import shutil

    weights = unmixed(OPTIONS)
    write_bilm(weights, tmp_path / "model")
    packed = shutil.make_archive(str(tmp_path / "model"), "zip", tmp_path / "model")
    put(f"{bucket}/144.zip", Path(packed).read_bytes())
    assert read_weights(local_handle(f"{bucket}/144.zip")).digest == weights.digest


def test_a_run_and_a_text_encoder_take_such_a_handle(bucket: str, tmp_path: Path) -> None:
    address = f"{bucket}/of-a-run"
    digest = put_model(address, tmp_path / "model")
    run = resolved(Settings(model=address, outputs=("elmo",)))
    assert (run.model, run.digest) == (address, digest)
    assert TextEncoder(address).dim() == 8


def test_no_such_folder(bucket: str, cache: Path) -> None:
    with refused(f"{bucket}/nowhere", "no model"):
        local_handle(f"{bucket}/nowhere")
    with refused(f"{bucket}/nowhere/weights.hdf5", "no model"):
        local_handle(f"{bucket}/nowhere/weights.hdf5")


def test_other_handles_are_left_alone(tmp_path: Path) -> None:
    for handle in ("default", str(tmp_path), "https://example.com/elmo.zip", "file:///tmp/x"):
        assert local_handle(handle) == handle


def test_the_model_floor_itself_says_who_can_fetch(bucket: str) -> None:
    with refused("s3://", "only commands and Beam pipelines"):
        load_encoder(f"{bucket}/of-a-run")


def test_a_message_names_what_was_given(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(FileSystems.get_filesystem(bucket)), "match", broken)
    with refused(f"cannot reach {bucket}/x (", "your permissions"):
        local_handle(f"{bucket}/x")
