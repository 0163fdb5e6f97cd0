"""What a Parquet footer says of its rows is checked: none vanishes, none is made up."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import make_settings

FIELD = b"\x16"  # Thrift's compact protocol: an i64, the field after the last one
PAGE = b"\x2c\x15"  # a struct, two fields on: a data page's header; its first field, an i32
FOOTER = 0  # of the numbers in a footer, the rows of the file


def varint(number: int) -> bytes:
    """Thrift's compact i64: zigzag, seven bits a byte, the lowest first."""
    rest, encoded = number << 1, []
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*encoded, rest])


def patch(path: Path, old: int, new: int, *which: int) -> None:
    """Change a number in a footer, wherever it occurs, or its occurrences of these indices.

    The first is the number of rows in the file. Each row group follows: values of each of its
    columns, then its rows.
    """
    data = path.read_bytes()
    size = struct.unpack("<I", data[-8:-4])[0]
    head, *rest = data[-8 - size : -8].split(FIELD + varint(old))
    numbers = [new if not which or i in which else old for i in range(len(rest))]
    footer = head + b"".join(
        FIELD + varint(number) + part for number, part in zip(numbers, rest, strict=True)
    )
    length = struct.pack("<I", len(footer))
    path.write_bytes(data[: -8 - size] + footer + length + b"PAR1")


def write(path: Path, rows: int = 3000, name: str = "text", **options: Any) -> Path:
    columns = {"id": range(rows), name: [f"text {i}" for i in range(rows)]}
    pq.write_table(pa.table(columns), path, **options)
    return path


def damage(path: Path, **changes: Any) -> str:
    """Why a file is damaged."""
    plan = make_plan(str(path), make_settings(**changes))
    assert plan.damaged is not None
    assert (plan.blocks, plan.content) == ([], "")
    return plan.damaged


@pytest.mark.parametrize("rows", [0, 1, 66, 2999, 3001, 1 << 40])
def test_a_footer_of_more_or_fewer_rows_than_its_row_groups_is_damaged(
    tmp_path: Path, rows: int
) -> None:
    path = write(tmp_path / "a.parquet")
    patch(path, 3000, rows, FOOTER)
    assert pq.read_metadata(path).num_rows == rows
    assert damage(path) == f"has row groups of 3,000 rows, but its footer says {rows:,}"


@pytest.mark.parametrize("rows", [0, 2999])
@pytest.mark.parametrize("name", ["text", "a.text"])
def test_a_row_group_of_fewer_rows_than_its_columns_is_damaged(
    tmp_path: Path, rows: int, name: str
) -> None:
    path = write(tmp_path / "a.parquet", name=name)
    patch(path, 3000, rows, FOOTER, 3)
    assert pq.read_metadata(path).row_group(0).num_rows == rows
    assert damage(path, text_column=name) == (
        f"has 3,000 values of column '{name}' in row group 0, but its footer says {rows:,} rows"
    )


def test_a_row_group_of_more_rows_than_its_columns_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    patch(path, 3000, 3001, FOOTER, 3)
    assert damage(path) == "has 3,000 rows, but its footer says 3,001"


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        (0, "has 0 rows, but its footer says 3,000"),
        (2999, "has 2,999 values of column 'text' in row group 0, but its footer says 3,000 rows"),
        (3001, "has 3,001 values of column 'text' in row group 0, but its footer says 3,000 rows"),
    ],
)
def test_a_column_of_more_or_fewer_values_than_its_row_group_is_damaged(
    tmp_path: Path, values: int, cause: str
) -> None:
    path = write(tmp_path / "a.parquet")
    patch(path, 3000, values, 2)
    assert damage(path) == cause
    for which in (1, 2):  # beside another column, rows would be those of other ids
        path = write(tmp_path / "a.parquet")
        patch(path, 3000, values, which)
        assert len(damage(path, id_field="id").splitlines()) == 1


def test_a_column_that_nobody_reads_may_say_what_it_likes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    patch(path, 3000, 2999, 1)
    plan = make_plan(str(path), make_settings())
    assert (plan.damaged, plan.lines) == (None, 3000)


def test_two_row_groups_that_lie_the_other_way_round_are_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", rows=2000, row_group_size=1000)
    groups = [pq.read_metadata(path).row_group(i).num_rows for i in range(2)]
    assert groups == [1000, 1000]
    patch(path, 1000, 1001, 2)
    patch(path, 1000, 999, 4)
    assert "row group 0" in damage(path)


def test_a_footer_that_agrees_with_itself_but_has_more_rows_than_the_pages_is_damaged(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.parquet")
    patch(path, 3000, 3001)
    assert damage(path, id_field="id") == "has 3,000 rows, but its footer says 3,001"


@pytest.mark.parametrize("values", [2000, 2999, 3001])
def test_a_page_of_more_or_fewer_values_than_it_says_is_damaged(
    tmp_path: Path, values: int
) -> None:
    path = write(tmp_path / "a.parquet", compression="none", use_dictionary=False)
    start = pq.read_metadata(path).row_group(0).column(1).data_page_offset
    data = path.read_bytes()
    text = data[start:].replace(PAGE + varint(3000), PAGE + varint(values), 1)
    path.write_bytes(data[:start] + text)
    assert len(damage(path).splitlines()) == 1
    # Beside a column of ids, the rows would be those of other ids.
    assert len(damage(path, id_field="id").splitlines()) == 1


def test_row_groups_without_rows_are_no_damage(tmp_path: Path) -> None:
    path, schema = tmp_path / "a.parquet", pa.schema({"text": pa.string()})
    with pq.ParquetWriter(path, schema) as writer:
        for texts in ([], ["a", "b"], [], ["c"], []):
            writer.write_table(pa.table({"text": texts}, schema))
    plan = make_plan(str(path), make_settings())
    assert (plan.damaged, plan.lines) == (None, 3)


def test_ids_of_several_values_each_are_no_damage(tmp_path: Path) -> None:
    ids = [[{"a": 1}, {"a": 2}], [], None]
    pq.write_table(pa.table({"text": ["a", "b", "c"], "id": ids}), tmp_path / "a.parquet")
    plan = make_plan(str(tmp_path / "a.parquet"), make_settings(id_field="id"))
    assert (plan.damaged, plan.lines) == (None, 3)
