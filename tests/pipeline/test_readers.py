"""DIR/parts as other programs read it: they must find every row and the promised types."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.helpers.command import Job, elmo_beam, read_rows, vectors

TEXT = "The bank of the river.\nMoney in the bank\n"
NAMES = (
    "a.txt",
    "_under.txt",
    ".hidden.txt",
    "lang=en.txt",
    "a b%20#?*{1}.txt",
    "a::b.txt",
    "[1].txt",
)
ROWS = 2 * len(NAMES)


@pytest.fixture(scope="module", params=["float32", "float16"])
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A run over shards of awkward names, and one whose part has no rows."""
    job = Job(tmp_path_factory.mktemp("done"), request.getfixturevalue("model"))
    files = [job.file(name, TEXT) for name in NAMES]
    files += [job.file("blank.txt", " \n\n"), job.file("empty.txt", "")]
    flags: tuple[str, ...] = ("--outputs", "elmo,default", "--dtype", request.param)
    flags += ("--block_size", "30")  # so that each file has parts of its own name
    job.embed(*flags, inputs=files).succeeds()
    return job


def dtype(job: Job) -> str:
    """The run's float type."""
    return str(job.manifest()["settings"]["dtype"])


def test_every_shard_whatever_its_name_has_its_rows_and_verifies(done: Job) -> None:
    shards = done.rows()["shard"].to_pylist()
    assert sorted(set(shards)) == sorted(str(done.folder / "in" / name) for name in NAMES)
    assert len(shards) == ROWS
    assert elmo_beam("verify", done.out).code == 0


def test_half_precision_is_the_rounded_single_precision(job: Job) -> None:
    job.file("a.txt", TEXT)
    flags = ("--outputs", "word_emb,elmo,default")
    job.embed(*flags).succeeds()
    half = job.folder / "half"
    job.embed(*flags, "--dtype", "float16", "--output", half).succeeds()
    single, halves = job.rows(), read_rows(half)
    for name in ("word_emb", "elmo", "default"):
        rounded = vectors(single, name).astype(np.float16).astype(np.float32)
        np.testing.assert_allclose(vectors(halves, name), rounded, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("read", [pq.read_table, lambda path: ds.dataset(path).to_table()])
def test_pyarrow_reads_the_folder(done: Job, read: type) -> None:
    table: pa.Table = read(str(done.out / "parts"))
    value = {"float32": pa.float32(), "float16": pa.float16()}[dtype(done)]
    assert table.schema.field("elmo").type == pa.list_(pa.list_(value, 8))
    assert table.schema.field("default").type == pa.list_(value, 8)
    wanted = done.rows()
    assert table.schema.names == wanted.schema.names
    np.testing.assert_array_equal(vectors(table, "elmo"), vectors(wanted, "elmo"))
    assert table["text"].to_pylist() == wanted["text"].to_pylist()


def test_pandas_reads_the_folder(done: Job) -> None:
    frame = pd.read_parquet(done.out / "parts")
    wanted = done.rows()
    assert len(frame) == ROWS
    assert list(frame["tokens"][0]) == wanted["tokens"][0].as_py()
    means = np.stack(list(frame["default"]))
    assert (means.shape, means.dtype) == ((ROWS, 8), np.dtype(dtype(done)))
    np.testing.assert_array_equal(means, vectors(wanted, "default"))
    np.testing.assert_array_equal(np.stack(list(frame["elmo"][1])), wanted["elmo"][1].as_py())
    types = {"line": "int64", "offset": "int64", "sentence": "int32", "num_tokens": "int32"}
    assert {name: str(frame[name].dtype) for name in types} == types


@pytest.mark.parametrize("files", ["", "*.parquet"])
def test_polars_reads_the_folder_and_the_files(done: Job, files: str) -> None:
    frame = pl.read_parquet(done.out / "parts" / files)
    wanted = done.rows()
    value = {"float32": pl.Float32, "float16": getattr(pl, "Float16", pl.Float32)}[dtype(done)]
    assert frame.height == ROWS
    assert frame.columns == wanted.schema.names
    assert frame.schema["default"] == pl.Array(value, 8)
    assert frame.schema["elmo"] == pl.List(pl.Array(value, 8))
    assert frame["line"].dtype == pl.Int64
    np.testing.assert_array_equal(
        np.array(frame["default"].to_list(), np.float32), vectors(wanted, "default")
    )


def test_duckdb_reads_the_files(done: Job) -> None:
    folder = done.out / "parts"
    found = duckdb.sql(f"select * from '{folder}/*.parquet' order by filename, line")
    wanted = done.rows()
    assert found.columns == wanted.schema.names
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert (types["shard"], types["line"], types["num_tokens"]) == ("VARCHAR", "BIGINT", "INTEGER")
    assert (types["tokens"], types["truncated"]) == ("VARCHAR[]", "BOOLEAN")
    assert types["default"].startswith("FLOAT[")
    assert types["elmo"].startswith("FLOAT[") and types["elmo"].endswith("[]")
    means = np.array([row[types_index(found.columns)] for row in found.fetchall()], np.float32)
    np.testing.assert_array_equal(means, vectors(wanted, "default"))


def types_index(columns: list[str]) -> int:
    """Where the sentences' vectors are in a row."""
    return columns.index("default")


def test_hugging_face_datasets_read_the_files(
    done: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(
        "parquet", data_dir=str(done.out / "parts"), split="train", cache_dir=str(tmp_path)
    )
    wanted = done.rows()
    assert loaded.num_rows == ROWS
    assert loaded.column_names == wanted.schema.names
    assert loaded.features["line"].dtype == "int64"
    by_key = {(row["shard"], row["line"]): row for row in loaded}
    for row in wanted.to_pylist():
        found = by_key[row["shard"], row["line"]]
        assert found["tokens"] == row["tokens"]
        np.testing.assert_array_equal(np.array(found["elmo"]), np.array(row["elmo"]))
        np.testing.assert_array_equal(np.array(found["default"]), np.array(row["default"]))
