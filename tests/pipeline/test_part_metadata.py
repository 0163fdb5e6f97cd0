"""What Parquet files say of what made them, as other programs read it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam import __version__, open_run
from elmo_beam.transforms.files.settings import PARTS_VERSION
from tests.helpers.command import Job, files_of, random_lines

TEXT = "The bank of the river.\nMoney in the bank\n"


def by_pyarrow(path: Path) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}


def by_duckdb(path: Path) -> dict[str, str]:
    rows = duckdb.sql(f"select key, value from parquet_kv_metadata('{path}')").fetchall()
    return {key.decode(): value.decode() for key, value in rows}


def by_polars(path: Path) -> dict[str, str]:
    return dict(pl.read_parquet_metadata(path))


def own(metadata: dict[str, str]) -> dict[str, str]:
    """The keys that are ours."""
    return {key: value for key, value in metadata.items() if key.startswith("elmo_beam.")}


def expected(job: Job) -> dict[str, str]:
    """What each file of a run says, from run.json."""
    settings = json.loads((job.out / "run.json").read_text())["settings"]
    return {
        "elmo_beam.version": __version__,
        "elmo_beam.parts_version": str(PARTS_VERSION),
        "elmo_beam.model": str(job.model),
        "elmo_beam.model_digest": settings["digest"],
        "elmo_beam.settings": json.dumps({k: v for k, v in settings.items() if k != "words"}),
    }


@pytest.mark.parametrize("read", [by_pyarrow, by_duckdb, by_polars])
@pytest.mark.parametrize("flags", [(), ("--pool", "word", "--top_words", "3")])
def test_every_file_says_what_made_it(
    job: Job, read: Callable[[Path], dict[str, str]], flags: tuple[str, ...]
) -> None:
    job.file("a.txt", TEXT)
    job.file("b.txt", "\n")  # a part without a row
    job.embed("--outputs", "elmo,default", "--block_size", "30", *flags).succeeds()
    files = [*(job.out / "parts").iterdir(), *job.out.glob("*.parquet")]
    assert len(files) >= (3 if flags else 2)
    for file in files:
        assert own(read(file)) == expected(job)


@pytest.mark.parametrize("name", ["größe 'x\"", "m\udcff", "a\nb"])
def test_a_model_of_any_name(job: Job, name: str) -> None:
    job.file("a.txt", TEXT)
    model = shutil.copytree(job.model, job.folder / name)
    job.embed("--outputs", "default", "--model", model).succeeds()
    [part] = (job.out / "parts").iterdir()
    for read in (by_pyarrow, by_duckdb, by_polars):
        said = own(read(part))
        assert json.loads(said["elmo_beam.settings"])["model"] == str(model)
        assert said["elmo_beam.model"] == str(model).replace("\udcff", "\\udcff")
    assert pl.read_parquet(part).height == 2


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_the_manifest_says_the_same(job: Job, form: str) -> None:
    job.file("a.txt", TEXT)
    job.embed("--format", form).succeeds()
    manifest, recorded = job.manifest(), json.loads((job.out / "run.json").read_text())
    assert manifest["settings"] == recorded["settings"]
    assert manifest["settings"]["model"] == str(job.model) and manifest["settings"]["digest"]
    assert manifest["versions"] == recorded["versions"]
    assert manifest["versions"]["elmo-beam"] and manifest["versions"]["parts"] == PARTS_VERSION


def test_the_same_input_and_settings_give_the_same_bytes(job: Job) -> None:
    job.file("a.txt", random_lines(30))
    parts: list[Any] = []
    for name in ("one", "two"):
        job.embed("--output", job.folder / name, "--outputs", "default").succeeds()
        parts.append({n: data for n, (_, data) in files_of(job.folder / name / "parts").items()})
    assert parts[0] == parts[1] and len(parts[0]) == 1


def test_a_run_whose_parts_do_not_say_it_yet_continues(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("elmo_beam.transforms.outputs.parquet.part_metadata", lambda settings: {})
        job.file("a.txt", TEXT)
        job.embed("--outputs", "elmo,default").succeeds()
    [old] = (job.out / "parts").iterdir()
    assert not pq.read_schema(old).metadata
    before = files_of(job.out / "parts")
    job.file("b.txt", TEXT)
    job.embed("--outputs", "elmo,default").succeeds()
    after = files_of(job.out / "parts")
    assert {name: after[name] for name in before} == before
    [new] = set((job.out / "parts").iterdir()) - {old}
    assert own(by_pyarrow(new)) == expected(job)
    assert job.verify().code == 0
    run = open_run(job.out)
    assert len(run.dataframe()) == run.manifest["rows"] == 4
    assert pa.concat_tables(run.tables(["text"])).num_rows == 4
    assert pl.read_parquet(job.out / "parts").height == 4
    assert duckdb.sql(f"select * from '{job.out}/parts/*.parquet'").count("*").fetchall() == [(4,)]
