"""Parquet parts: their types, and the readers that open them unchanged."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.outputs import parquet
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS, output_format
from elmo_beam.transforms.outputs.schema import part_schema, vector_column
from elmo_beam.transforms.settings_checks import PARQUET_ENCODINGS
from tests.helpers.blocks import embedded_block, make_settings, normalized, raw_block

ALL = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo", "default")
LINES = [b"a first sentence of this part", b"\xff", "zweite Zeile, größer".encode(), b"", b"end"]
PARQUET = output_format("parquet")
DTYPES = {"float32": pa.float32(), "float16": pa.float16()}


def written(path: Path, lines: list[bytes] = LINES, **changes: Any) -> tuple[pa.Table, str]:
    """A part of these lines and where it was written."""
    run = make_settings(**{"outputs": ALL, "id_field": "key", **changes})
    block = normalized(raw_block(lines, ids=[f"id {i}" for i in range(len(lines))]), run)
    table = embedded_block(block, run).part
    file = path / "a.txt-12345678-000000000000000.parquet"
    PARQUET.write(table, run, str(file))
    return table, str(file)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("id_field", [None, "key"])
def test_the_columns_have_the_types_of_the_contract(
    tmp_path: Path, dtype: str, id_field: str | None
) -> None:
    _, file = written(tmp_path, dtype=dtype, id_field=id_field)
    half, full = pa.list_(DTYPES[dtype], 3), pa.list_(DTYPES[dtype], 6)
    expected = [
        ("shard", pa.string()),
        ("line", pa.int64()),
        ("offset", pa.int64()),
        ("sentence", pa.int32()),
        *([("id", pa.string())] if id_field else []),
        ("text", pa.string()),
        ("tokens", pa.list_(pa.string())),
        ("num_tokens", pa.int32()),
        ("truncated", pa.bool_()),
        ("word_emb", pa.list_(half)),
        ("lstm_outputs1", pa.list_(full)),
        ("lstm_outputs2", pa.list_(full)),
        ("elmo", pa.list_(full)),
        ("default", full),
    ]
    schema = pq.read_schema(file)
    assert [(field.name, field.type) for field in schema] == expected


def test_the_columns_of_the_outputs_come_as_asked() -> None:
    for outputs in (("default",), ("elmo", "default"), ("lstm_outputs2",)):
        schema = part_schema(make_settings(outputs=outputs))
        assert tuple(schema.names[-len(outputs) :]) == outputs
        assert len(schema) == 8 + len(outputs)


def test_flat_vectors_become_columns() -> None:
    flat = np.arange(30, dtype=np.float32).reshape(5, 6)
    column = vector_column("elmo", flat, np.array([0, 2, 5]), "float32")
    assert column.type == part_schema(make_settings(outputs=("elmo",))).field("elmo").type
    assert column.to_pylist() == [flat[:2].tolist(), flat[2:].tolist()]
    means = vector_column("default", flat, np.array([0, 2, 5]), "float16")
    assert means.type == pa.list_(pa.float16(), 6)
    assert means.to_pylist() == flat.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoding", PARQUET_ENCODINGS)
def test_floats_are_not_dictionary_encoded_and_everything_is_zstd(
    tmp_path: Path, dtype: str, encoding: str
) -> None:
    _, file = written(tmp_path, dtype=dtype, parquet_encoding=encoding)
    splits = (dtype, encoding) == ("float32", "byte_stream_split")
    group = pq.ParquetFile(file).metadata.row_group(0)
    for i in range(group.num_columns):
        column = group.column(i)
        assert column.compression == "ZSTD"
        name = column.path_in_schema.split(".")[0]
        if name in ALL:
            assert not column.has_dictionary_page
            # DuckDB cannot read BYTE_STREAM_SPLIT of float16.
            assert ("BYTE_STREAM_SPLIT" in column.encodings) == splits
        elif name in ("shard", "text", "tokens"):
            assert column.has_dictionary_page


def same(got: Any, expected: list[dict[str, Any]], dtype: str) -> None:
    """Rows as some reader gives them: the same values, bit for bit."""
    got = list(got)
    assert len(got) == len(expected) > 2
    for row, want in zip(got, expected, strict=True):
        assert list(row) == list(want)
        for name, value in want.items():
            if name in ALL:
                array = np.stack([np.asarray(v) for v in row[name]])
                assert np.array_equal(array.astype(dtype), np.array(value, dtype))
            elif name == "tokens":
                assert list(row[name]) == value
            else:
                assert row[name] == value


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reader", ["pyarrow", "verify", "pandas", "polars", "duckdb", "datasets"])
def test_parts_open_unchanged(tmp_path: Path, dtype: str, reader: str) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    table, file = written(folder, dtype=dtype)
    same(READERS[reader](folder, file, make_settings(outputs=ALL)), table.to_pylist(), dtype)


def with_pandas(folder: Path, file: str, run: Settings) -> Any:
    import pandas as pd

    return pd.read_parquet(folder).to_dict("records")


def with_polars(folder: Path, file: str, run: Settings) -> Any:
    import polars as pl

    return pl.read_parquet(folder).rows(named=True)


def with_duckdb(folder: Path, file: str, run: Settings) -> Any:
    import duckdb

    found = duckdb.sql(f"select * from read_parquet('{folder}/*.parquet')")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def with_datasets(folder: Path, file: str, run: Settings) -> Any:
    import datasets

    files = [str(p) for p in folder.iterdir()]
    cache = str(folder.parent / "cache")
    return datasets.load_dataset("parquet", data_files=files, cache_dir=cache, split="train")


READERS = {
    "pyarrow": lambda folder, file, run: pq.read_table(folder).to_pylist(),
    "verify": lambda folder, file, run: PARQUET.read(file, run, None).to_pylist(),
    "pandas": with_pandas,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "datasets": with_datasets,
}


def test_an_empty_part_has_the_schema_and_is_read_with_others(tmp_path: Path) -> None:
    run = make_settings(outputs=ALL)
    empty = part_schema(run).empty_table()
    PARQUET.write(empty, run, str(tmp_path / "a.parquet"))
    assert PARQUET.read(str(tmp_path / "a.parquet"), run, None).equals(empty)
    full = embedded_block(normalized(raw_block([b"a b"]), run), run).part
    PARQUET.write(full, run, str(tmp_path / "b.parquet"))
    assert pq.read_table(tmp_path).equals(full)


def test_large_parts_have_several_row_groups_and_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 20_000)
    lines = [b"some words of line %d" % i for i in range(300)]
    table, file = written(tmp_path, lines)
    metadata = pq.ParquetFile(file).metadata
    assert metadata.num_row_groups > 5
    sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    assert max(sizes) < 40_000
    assert pq.read_table(file).equals(table)


def test_a_changed_byte_of_a_page_is_seen_when_a_part_is_read_to_verify_it(tmp_path: Path) -> None:
    _, file = written(tmp_path, [b"word %d" % i for i in range(500)])
    data = bytearray(Path(file).read_bytes())
    footer = struct.unpack("<I", data[-8:-4])[0]
    where = (len(data) - footer) * 2 // 3
    data[where] ^= 0x20
    Path(file).write_bytes(data)
    with pytest.raises(OSError, match=r"CRC|checksum"):
        PARQUET.read(file, make_settings(), None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("name", OUTPUT_FORMATS)
def test_a_full_disk_is_an_error_of_the_system_in_every_format(name: str) -> None:
    run = make_settings(format=name)
    table = embedded_block(normalized(raw_block([b"some words"] * 500), run), run).part
    with pytest.raises(OSError, match="No space left"):
        output_format(name).write(table, run, "/dev/full")


def test_a_name_that_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "year=2020" / "parts"
    folder.mkdir(parents=True)
    table, file = written(folder)
    assert PARQUET.read(file, make_settings(), None).equals(table)
