"""Runs that keep fields of their input: through the command line, and into the readers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import elmo_beam as package
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.files.layout import layout_of
from elmo_beam.transforms.files.settings import Settings, read_settings, record_settings
from elmo_beam.transforms.inputs.formats import INPUT_FORMATS, InputFormat
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.inputs.text import cut_lines, read_lines
from elmo_beam.transforms.kept_fields import with_field_types
from elmo_beam.transforms.settings_checks import resolved
from tests.helpers.command import Job, elmo_beam, files_of
from tests.helpers.refusal import refused

FIELDS = ("--keep_fields", "label:int64,score:float32,meta.lang,tags:list<string>")
LINES: list[dict[str, Any]] = [
    {"text": "The bank. A river.", "label": 1, "score": 0.5, "meta": {"lang": "en"}, "tags": ["a"]},
    {"text": "Money.", "label": "0", "score": "2", "meta": {"lang": "de"}},
    {"text": "Bad.", "label": "none"},
]
KEPT = [(1, 0.5, "en", ["a"]), (1, 0.5, "en", ["a"]), (0, 2.0, "de", None), (2, 1.0, None, None)]


def write_lines(job: Job, name: str, lines: list[Any]) -> Path:
    return job.file(name, "".join(json.dumps(line) + "\n" for line in lines))


def write_table(job: Job, name: str, **columns: Any) -> Path:
    path = job.file(name, "")
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def mixed(job: Job) -> Job:
    """A file of JSON Lines, and one of Parquet with a smaller type of one field."""
    write_lines(job, "a.jsonl", LINES)
    write_table(
        job,
        "b.parquet",
        text=["Parquet."],
        label=pa.array([2], pa.int16()),
        score=pa.array([1.0], pa.float32()),
        meta=pa.array([None], pa.struct([("lang", pa.string())])),
        tags=pa.array([None], pa.list_(pa.string())),
    )
    return job


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_a_run_keeps_them_and_all_readers_take_one_as_the_label(mixed: Job, form: str) -> None:
    flags = (*FIELDS, "--split_sentences", "--format", form, "--outputs", "elmo,default")
    mixed.embed(*flags).succeeds()
    assert mixed.manifest()["rejected"] == {"bad_field": 1}
    assert [(r["label"], r["meta.lang"]) for r in mixed.rejects()] == [("none", None)]
    assert elmo_beam("verify", mixed.out).succeeds()
    before = files_of(mixed.out)
    mixed.embed(*flags).succeeds()
    assert files_of(mixed.out) == before
    run = package.open_run(mixed.out)
    names = ["label", "score", "meta.lang", "tags"]
    rows = pa.concat_tables(run.tables(names))
    assert list(zip(*(rows[name].to_pylist() for name in names), strict=True)) == KEPT
    assert run.dataframe(["meta.lang", "label"])["label"].tolist() == [1, 1, 0, 2]
    for output in ("elmo", "default"):
        found = list(run.rows(output, "label"))
        assert [label for _, label in found] == [1, 1, 0, 2]
        batches = list(package.tf_dataset(run, output, 2, "label"))
        labels = [label.numpy() for _, label in batches]
        assert np.concatenate(labels).tolist() == [1, 1, 0, 2]
        assert labels[0].dtype == np.int64
        features, scores = next(iter(package.tf_dataset(run, output, 4, "score")))
        assert (scores.dtype, scores.numpy().tolist()) == ("float32", [0.5, 0.5, 2.0, 1.0])
        vectors = features if output == "default" else features["vectors"][:, 0]
        want = np.stack([row if output == "default" else row[0] for row, _ in found])
        np.testing.assert_array_equal(vectors.numpy(), want)


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_pytorch_takes_one_as_the_label(mixed: Job, form: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    mixed.embed(*FIELDS, "--format", form).succeeds()
    data = package.torch_dataset(package.open_run(mixed.out), "elmo", "label")
    assert [label for _, label in data] == [1, 0, 2]


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_labels_that_are_no_labels(mixed: Job, form: str) -> None:
    mixed.embed(*FIELDS, "--format", form).succeeds()
    run = package.open_run(mixed.out)
    place = "line 0" if form == "parquet" else "offset 0"
    with refused(f"no label for {place}", "b.parquet", "'meta.lang' is null"):
        package.tf_dataset(run, "elmo", 2, "meta.lang")
    with refused("'meta.lang' is null"):
        list(run.rows("elmo", "meta.lang"))
    with refused("'tags' is list<string>", kind=ArgumentError):
        package.tf_dataset(run, "elmo", 2, "tags")
    for read in (run.check_labels, lambda name: package.tf_dataset(run, "elmo", 2, name)):
        with refused("'lang' is not a kept field", "label, score", kind=ArgumentError):
            read("lang")


def test_labels_of_other_types(job: Job) -> None:
    write_lines(job, "a.jsonl", [{"text": "x", "b": True, "s": "é", "d": 0.1, "u": 2**64 - 1}])
    fields = "b:bool,s,d:float64,u:uint64,day:date32"
    job.embed("--keep_fields", fields, "--outputs", "default").succeeds()
    run = package.open_run(job.out)
    for name, kind, value in (
        ("b", "bool", True), ("s", "string", "é".encode()), ("d", "float64", 0.1),
        ("u", "uint64", 2**64 - 1),
    ):  # fmt: skip
        [(_, label)] = package.tf_dataset(run, "default", 1, name)
        assert (label.dtype.name, label.numpy()[0]) == (kind, value)
    with refused("'day' is date32", kind=ArgumentError):
        package.tf_dataset(run, "default", 1, "day")


def test_a_type_that_is_not_declared_is_the_first_that_a_file_gives_and_then_the_runs(
    job: Job,
) -> None:
    write_lines(job, "a.jsonl", [{"text": "x", "label": 1}, {"text": "y", "label": "z"}])
    table = {"text": ["Parquet."], "label": pa.array([2], pa.int16()), "when": [None]}
    write_table(job, "b.parquet", **table)
    plain = ("--keep_fields", "label,when")
    job.embed(*plain).succeeds()
    assert job.manifest()["settings"]["keep_fields"] == ["label:int16", "when:string"]
    assert job.manifest()["rejected"] == {"bad_field": 1}
    before = files_of(job.out)
    job.embed(*plain).succeeds()
    job.embed("--keep_fields", "label:int16,when:string").succeeds()
    assert files_of(job.out) == before
    for other in ("label:int64,when", "label", "when,label"):
        job.embed("--keep_fields", other).refuses("--keep_fields", "label:int16", "--overwrite")
    job.embed().refuses("--keep_fields label:int16, when:string, now none")

    # Files added later do not change it, whatever their names come before.
    added = write_table(job, "a.parquet", text=["New."], label=["text"], when=["x"])
    ran = job.embed(*plain)
    ran.refuses(added, "'label' is string", "int16", "label:string")
    assert [damage["shard"] for damage in job.manifest()["damaged"]] == [str(added)]
    assert sorted(job.rows()["label"].to_pylist()) == [1, 2]
    write_table(job, "a.parquet", text=["New."], label=pa.array([3], pa.int8()), when=["x"])
    job.embed(*plain).succeeds()
    assert sorted(job.rows()["label"].to_pylist()) == [1, 2, 3]
    job.embed(*plain, "--overwrite").refuses("b.parquet", "'label' is int16", "int8", "label:int16")
    job.embed("--keep_fields", "label:int16,when", "--overwrite").succeeds()
    assert sorted(job.rows()["label"].to_pylist()) == [1, 2, 3]


def test_a_file_that_lacks_the_column_costs_only_itself(job: Job) -> None:
    write_table(job, "a.parquet", text=["One."], labels=[1])
    write_table(job, "b.parquet", text=["Two."], label=[2])
    job.embed("--keep_fields", "label").refuses(
        "a.parquet", "no column 'label': it has text, labels"
    )
    assert job.rows()["label"].to_pylist() == [2]


def test_where_no_file_can_tell_the_type_it_must_be_declared(job: Job) -> None:
    job.file("a.txt", "The bank.\n")
    damaged = job.file("b.parquet", "no table")
    job.embed("--keep_fields", "label").refuses(
        "type of --keep_fields label", damaged, "label:string"
    )
    assert not job.out.exists()
    job.embed("--keep_fields", "label:int64").refuses(damaged, "cannot be opened as Parquet")
    assert job.rows()["label"].to_pylist() == [None]
    damaged.unlink()
    write_table(job, "b.parquet", text=["x"], m=pa.array([{"x": 1}]))
    other = ("--output", job.folder / "other")
    job.embed("--keep_fields", "m", *other).refuses("--keep_fields m", "name one of its fields")


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_occurrences_of_words_have_them(mixed: Job, form: str) -> None:
    words = mixed.folder / "words.txt"
    words.write_text("river\nMoney\nbank\n")
    mixed.embed(*FIELDS, "--words", words, "--format", form).succeeds()
    assert elmo_beam("verify", mixed.out).succeeds()
    run = package.open_run(mixed.out)
    at = run.columns.index("position")
    assert run.columns[at - 4 : at] == ["label", "score", "meta.lang", "tags"]
    assert [label for _, label in run.rows("elmo", "label")] == [1, 1, 0]


def test_plan_inspect_and_the_report(mixed: Job) -> None:
    long = [{"text": "x", "note": "long " * 100_000}] * 4
    write_lines(mixed, "c.jsonl", long)
    path = ["plan", "--input", mixed.folder / "in" / "c.jsonl"]
    assert "about 0 MB" in elmo_beam(*path).succeeds().out
    assert "about 2 MB" in elmo_beam(*path, "--keep_fields", "note").succeeds().out
    mixed.embed(*FIELDS).succeeds()
    shown = elmo_beam("inspect", mixed.out, "--rows", 1).succeeds().out
    assert "label:int64" in shown
    elmo_beam("inspect", mixed.out, "--word", "bank").succeeds()
    elmo_beam("report", mixed.out).succeeds()
    assert "bad field" in (mixed.out / "report.html").read_text()


def test_wrong_fields(mixed: Job) -> None:
    with refused("`keep_fields` text", kind=ArgumentError):
        package.embed(mixed.folder / "in" / "a.jsonl", mixed.out, keep_fields=["text"])
    mixed.embed("--keep_fields", "elmo").refuses("--keep_fields", "elmo", code=2)
    mixed.embed("--keep_fields", "a:text").refuses("--keep_fields", "no type text", code=2)


def test_without_a_listing_what_is_not_declared_is_a_string(job: Job) -> None:
    settings = resolved(Settings(model=str(job.model), keep_fields=("label", "n:int8")))
    typed = with_field_types(settings, (), None)
    assert typed.keep_fields == ("label:string", "n:int8")
    one = with_field_types(Settings(keep_fields="label:int8"), (), None)  # type: ignore[arg-type]
    assert one.keep_fields == ("label:int8",)
    layout = layout_of(str(job.out))
    record_settings(layout, typed)
    write_table(job, "a.parquet", text=["x"], label=["y"], n=pa.array([1], pa.int8()))
    job.embed("--keep_fields", "label,n").succeeds()
    assert read_settings(layout).keep_fields == typed.keep_fields


# A format with a value for each token, and types of its own


def tagged(table: pa.Table, settings: Settings) -> Iterator[Record | Rejected]:
    """`token/tag token/tag …`."""
    for raw in table["raw"].to_pylist():
        tokens, tags = map(
            list, zip(*(pair.split("/") for pair in raw.decode().split()), strict=True)
        )
        yield Record(" ".join(tokens), None, tokens, {"tag": tags}, {"note": raw.decode()})


@pytest.fixture
def tagged_job(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    module = ModuleType("made_up_tags")
    kinds = {"tag": pa.list_(pa.string())}
    module.__dict__["FORMAT"] = InputFormat(
        suffixes=(".tags",), compressible=True, cut=cut_lines, read=read_lines, records=tagged,
        field_type=lambda path, name: kinds.get(name),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "made_up_tags", module)
    formats = [*INPUT_FORMATS, "made_up_tags"]
    monkeypatch.setattr("elmo_beam.transforms.inputs.formats.INPUT_FORMATS", formats)
    job.file("a.tags", "the/D bank/N\na/D dog/N barked/V\n")
    job.file("b.txt", "Plain text.\n")
    return job


@pytest.mark.parametrize("form", ["parquet", "tfrecord"])
def test_a_format_may_have_types_and_lists_of_its_own(tagged_job: Job, form: str) -> None:
    flags = ("--max_tokens", 2, "--long_sentences", "split", "--format", form)
    tagged_job.embed("--keep_fields", "tag,note", *flags).succeeds()
    run = package.open_run(tagged_job.out)
    assert run.settings.keep_fields == ("tag:list<string>", "note:string")
    tags = pa.concat_tables(run.tables(["tag"]))["tag"].to_pylist()
    assert tags == [["D", "N"], ["D", "N"], ["V"], None, None]
    other = ("--output", tagged_job.folder / "other")
    ran = tagged_job.embed("--keep_fields", "tag:int64", *other)
    ran.refuses("a.tags", "'tag' is list<string>", "int64")
