"""A format is one module and one line in a table: made-up ones go through the whole program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import elmo_beam
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import INPUT_FORMATS, InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected, decoded, each_line
from elmo_beam.transforms.inputs.text import cut_lines, read_lines
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS, OutputFormat
from elmo_beam.transforms.outputs.schema import part_schema
from tests.helpers import command
from tests.helpers.command import Job, files_of, random_lines

FLAGS = (
    "--format",
    "rows",
    "--outputs",
    "elmo,default",
    "--id_field",
    "any",
    "--block_size",
    "200",
)


def write_json(table: pa.Table, settings: Settings, path: str) -> None:
    """One JSON object per row, without the text."""
    rows = table.select(kept(settings)).to_pylist()
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_json(path: str, settings: Settings, columns: Sequence[str] | None) -> pa.Table:
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    schema = part_schema(settings)
    table = pa.Table.from_pylist(rows, schema=pa.schema([schema.field(n) for n in kept(settings)]))
    return table if columns is None else table.select(list(columns))


def kept(settings: Settings) -> list[str]:
    return [name for name in part_schema(settings).names if name != "text"]


def tab_records(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    return each_line(table, parse_tabs)


def parse_tabs(raw: bytes | None) -> Record:
    """`id TAB text`."""
    identity, tab, text = decoded(raw).partition("\t")
    if not tab:
        raise Rejected("missing_field")
    return Record(text, identity)


OUTPUT = OutputFormat(
    write=write_json,
    read=read_json,
    columns=kept,
    dtypes=("float32",),
    packing=lambda settings: 3.0,
    pads=False,
)
INPUT = InputFormat(
    suffixes=(".pairs",), compressible=True, cut=cut_lines, read=read_lines, records=tab_records
)


@pytest.fixture
def job(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job on two files, with both formats in their tables."""
    for name, made_up in (("made_up_output", OUTPUT), ("made_up_input", INPUT)):
        module = ModuleType(name)
        module.__dict__["FORMAT"] = made_up
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(OUTPUT_FORMATS, "rows", "made_up_output")
    formats = [*INPUT_FORMATS, "made_up_input"]
    monkeypatch.setattr("elmo_beam.transforms.inputs.formats.INPUT_FORMATS", formats)
    job.file("a.pairs", "7\tThe bank of the river.\nno tab here\n8\tMoney.\n")
    job.file("b.txt", random_lines(30))
    return job


def test_embed_twice_verify_inspect_and_report(job: Job) -> None:
    job.embed(*FLAGS).succeeds()
    assert {part.suffix for part in (job.out / "parts").iterdir()} == {".rows"}
    manifest = job.manifest()
    assert (manifest["lines"], manifest["rows"]) == (33, 32)
    assert manifest["rejected"] == {"missing_field": 1}
    before = files_of(job.out)
    job.embed(*FLAGS).succeeds()
    assert files_of(job.out) == before
    assert "all as accounted" in job.verify().succeeds().out
    shown = command.elmo_beam("inspect", job.out, "--rows", 1).succeeds().out
    assert "format" in shown and "rows" in shown and "bank" in shown
    assert "bank" in command.elmo_beam("inspect", job.out, "--word", "bank").succeeds().out
    command.elmo_beam("report", job.out).succeeds()
    assert "missing field" in (job.out / "report.html").read_text()


def test_a_part_that_lost_a_row_is_found(job: Job) -> None:
    job.embed(*FLAGS).succeeds()
    part = next((job.out / "parts").glob("a.pairs*"))
    part.write_text(part.read_text().splitlines()[0] + "\n")
    job.verify().refuses(part.name, "not as it was written")


def test_the_readers(job: Job) -> None:
    job.embed(*FLAGS).succeeds()
    run = elmo_beam.open_run(str(job.out))
    assert "text" not in run.columns and "tokens" in run.columns
    table = next(run.tables(["id", "num_tokens", "default"]))
    assert table["id"].to_pylist() == ["7", "8"]
    vectors, offsets = run.arrays("elmo")
    assert len(offsets) == 33 and len(vectors) == offsets[-1] == run.manifest["tokens"]
    labels: dict[Any, int] = {"7": 1, "8": 0, None: 2}
    assert [label for _, label in run.rows("default", labels)][:2] == [1, 0]
    assert np.isfinite(vectors).all()


def test_plan_counts_with_the_formats_packing(job: Job) -> None:
    planned = command.elmo_beam(*["plan", *job.command(*FLAGS)[1:]]).succeeds().out
    assert "1 rejected" in planned and "missing_field" in planned


def test_what_a_format_cannot_hold_is_refused(job: Job) -> None:
    job.embed("--format", "rows", "--dtype", "float16").refuses("--dtype float16", "rows", code=2)
    job.embed("--format", "rows", "--pad_to", 9).refuses("--pad_to", "rows", code=2)
    job.embed("--format", "columns").refuses("rows", "parquet", code=2)
