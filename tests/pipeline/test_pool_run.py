"""Pooled runs, through the command line and from Python."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import elmo_beam as package
from elmo_beam.elmo.errors import ArgumentError, UserError
from tests.helpers.command import Job, elmo_beam, files_of, random_lines
from tests.helpers.refusal import refused

OUTPUTS = ("--outputs", "elmo,default,word_emb")
NAMES = ("elmo", "default", "word_emb")
TEXT = b"""The bank of the river.
Money in the bank. The old man.

A dog barked.
Bad \xff bytes.
The Bank and the old man, and the old man again.
"""
LIST = "old man\nbank\nzebra\nthe\nw1\n"


@pytest.fixture
def words(job: Job) -> Path:
    """A list of words, and text that has some of them."""
    job.file("a.txt", TEXT)
    path = job.folder / "words.txt"
    path.write_text(LIST)
    return path


def words_of(job: Job) -> pa.Table:
    return package.pooled_words(package.open_run(job.out))


def assert_alike(got: pa.Table, want: pa.Table) -> None:
    """The same words and counts; figures within 1e-6."""
    assert got.schema == want.schema
    assert got.select(["word", "count"]).equals(want.select(["word", "count"]))
    for name in got.column_names[2:]:
        own, right = (np.array(t[name].to_pylist(), np.float64) for t in (got, want))
        np.testing.assert_allclose(own, right, rtol=0, atol=1e-6)


def test_the_figures_are_those_of_the_full_run(job: Job, words: Path) -> None:
    job.file("b.txt", random_lines(200, seed=3) + "the old man at the bank\n" * 5)
    small = ("--block_size", "1k", *OUTPUTS)
    job.embed("--words", words, "--word_case", "fold", "--pool", "word", *small).succeeds()
    full = Job(job.folder, job.model, "full")
    full.embed("--words", words, "--word_case", "fold", *small).succeeds()
    run = package.open_run(full.out)
    found = words_of(job)
    assert found["word"].to_pylist() == ["old man", "bank", "the", "w1"]
    assert found.schema.field("elmo_mean").type == pa.list_(pa.float32(), 8)
    for name in NAMES:
        vectors = package.word_vectors(run, name)
        for row in found.to_pylist():
            own = vectors[row["word"]].astype(np.float64)
            assert row["count"] == len(own) > 0
            np.testing.assert_allclose(row[f"{name}_mean"], own.mean(0), rtol=0, atol=1e-6)
            np.testing.assert_allclose(row[f"{name}_variance"], own.var(0), rtol=0, atol=1e-6)
            assert min(row[f"{name}_variance"]) >= 0
    ours, theirs = job.manifest(), full.manifest()
    for name in ("lines", "embedded", "blank", "passed_over", "passed_sentences", "tokens"):
        assert ours[name] == theirs[name]
    assert ours["rejected"] == {"invalid_utf8": 1}
    assert ours["rows"] == sum(job.rows()["count"].to_pylist())
    assert job.verify().code == 0


def test_it_does_not_matter_how_the_text_is_spread(job: Job) -> None:
    lines = [f"{line} the bank\n" for line in random_lines(70, seed=5).splitlines()]
    flags = ("--pool", "word", "--top_words", "9", "--block_size", "700", *OUTPUTS)
    job.file("all.txt", "".join(lines))
    job.embed(*flags).succeeds()
    spread = Job(job.folder / "spread", job.model)
    for i in range(7):
        spread.file(f"{i}.txt", "".join(lines[i::7]))
    spread.embed(*flags).succeeds()
    assert words_of(job)["word"].to_pylist()[:2] == ["bank", "the"]
    assert_alike(words_of(spread), words_of(job))


def test_the_most_frequent_tokens_are_counted_once(job: Job, words: Path) -> None:
    flags = ("--pool", "word", "--top_words", "4", "--word_case", "fold")
    job.embed(*flags).succeeds()
    assert words_of(job).select(["word", "count"]).to_pylist() == [
        {"word": "the", "count": 7},
        {"word": ".", "count": 5},
        {"word": "bank", "count": 3},
        {"word": "man", "count": 3},
    ]
    assert json.loads((job.out / "top_words.json").read_text()) == {
        "the": 7, ".": 5, "bank": 3, "man": 3
    }  # fmt: skip
    assert job.manifest()["settings"]["words"] == ["the", ".", "bank", "man"]
    before = files_of(job.out)
    job.embed(*flags).succeeds()
    assert files_of(job.out) == before
    job.file("b.txt", "zebra zebra zebra zebra zebra bank\n" * 3)
    job.embed(*flags).succeeds()
    assert words_of(job)["word"].to_pylist() == ["the", ".", "bank", "man"]
    assert words_of(job)["count"].to_pylist() == [7, 5, 6, 3]
    job.embed(*flags[:3], "5", *flags[4:]).refuses("--top_words 4, now 5", "other settings")
    job.embed("--pool", "word", "--words", words).refuses("--top_words 4, now none")
    job.embed(*flags, "--overwrite").succeeds()
    assert words_of(job)["word"].to_pylist()[0] == "zebra"


def test_the_list_outlives_its_record(job: Job, words: Path) -> None:
    flags = ("--pool", "word", "--top_words", "4")
    job.embed(*flags).succeeds()
    (job.out / "run.json").unlink()
    job.file("b.txt", "zebra zebra zebra zebra zebra zebra zebra\n")
    job.embed(*flags).succeeds()
    assert "zebra" not in words_of(job)["word"].to_pylist()
    assert job.verify().code == 0


def test_words_are_merged_again_only_where_parts_changed(job: Job, words: Path) -> None:
    flags = ("--pool", "word", "--words", words)
    job.embed(*flags).succeeds()
    path = job.out / "words.parquet"
    before = files_of(job.out)
    job.embed(*flags).succeeds()
    assert files_of(job.out) == before
    for spoilt in (None, b"", path.read_bytes()[:-9]):
        path.unlink() if spoilt is None else path.write_bytes(spoilt)
        assert job.verify().code == 1
        job.embed(*flags).succeeds()
        assert path.read_bytes() == before["words.parquet"][1]
    job.file("a.txt", TEXT + b"bank\n")
    job.embed(*flags).succeeds()
    assert words_of(job)["count"].to_pylist()[1] == 3
    job.file("b.txt.gz", b"no gzip")
    assert job.embed(*flags).code == 1
    assert not path.exists()
    with refused("not complete", kind=UserError):
        package.pooled_words(package.open_run(job.out))
    with refused("words.parquet", "same command", kind=UserError):
        package.pooled_words(package.open_run(job.out, allow_incomplete=True))
    job.embed("--overwrite", inputs=[job.folder / "in" / "a.txt"]).succeeds()
    assert not path.exists()


def test_verify_finds_what_does_not_belong(job: Job, words: Path) -> None:
    job.embed("--pool", "word", "--words", words).succeeds()
    path = job.out / "words.parquet"
    right = path.read_bytes()
    table = pq.read_table(path)
    (part,) = (job.out / "parts").iterdir()
    for spoilt in (
        table.slice(1),
        table.take([1, 0, 2]),
        table.set_column(1, "count", pa.array([2, 2, 2])),
        table.set_column(2, "elmo_mean", table["elmo_variance"]),
        table.replace_schema_metadata(None),
        table.drop_columns("elmo_variance"),
    ):
        pq.write_table(spoilt, path)
        job.verify().refuses("words.parquet is not what the parts add up to")
    path.write_bytes(right)
    assert job.verify().code == 0
    from elmo_beam.transforms.write import file_digest

    (accounts,) = (job.out / "blocks").iterdir()
    rows = pq.read_table(part)
    for spoilt in (
        rows.take([1, 0, 2]),
        rows.set_column(1, "count", pa.array([0, 1, 1])),
        rows.set_column(3, "elmo_squares", pc_negative(rows["elmo_squares"])),
        rows.set_column(0, "word", pa.array(["a", "b", "c"])),
    ):
        pq.write_table(spoilt, part)
        size, sha256 = file_digest(str(part))
        document = json.loads(accounts.read_text()) | {"bytes": size, "sha256": sha256}
        accounts.write_text(json.dumps(document))
        assert str(part) in job.verify().err


def pc_negative(column: pa.ChunkedArray) -> pa.Array:
    flat = column.combine_chunks()
    return pa.FixedSizeListArray.from_arrays(
        pa.array(-np.asarray(flat.flatten())), flat.type.list_size
    )


def test_readers_of_rows_say_what_reads_words(job: Job, words: Path) -> None:
    words.write_text("bank\n")
    job.embed("--words", words, "--pool", "word").succeeds()
    run = package.open_run(job.out)
    (part,) = run.tables()
    assert part.column_names == run.columns == ["word", "count", "elmo_sum", "elmo_squares"]
    assert len(run.dataframe()) == 1
    for call in (
        lambda: run.arrays("elmo"),
        lambda: list(run.rows("elmo")),
        lambda: package.tf_dataset(run, "elmo", 2),
        lambda: package.word_vectors(run, "elmo"),
        lambda: run.check_labels({}),
    ):
        with refused("pooled_words", kind=ArgumentError):
            call()
    plain = Job(job.folder, job.model, "all")
    plain.embed()
    with refused("`run`", "`pool`", kind=ArgumentError):
        package.pooled_words(package.open_run(plain.out))


def test_from_python_the_words_are_counted_too(job: Job, words: Path) -> None:
    run = package.embed(
        [job.folder / "in" / "a.txt"], job.out, model=job.model, pool="word", top_words=2,
        progress=False,
    )  # fmt: skip
    assert run.settings.words == (".", "the")
    assert Counter(package.pooled_words(run)["word"].to_pylist()).keys() == {".", "the"}
    with refused("`words`", "`top_words`", kind=ArgumentError):
        package.embed("x", job.out, pool="word", top_words=2, words=["a"])


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--pool", "word"), "--top_words"),
        (("--top_words", "3"), "--pool"),
        (("--pool", "word", "--top_words", "3", "--words", "{words}"), "--words"),
        (("--pool", "word", "--words", "{words}", "--id_field", "x"), "--id_field"),
        (("--pool", "word", "--words", "{words}", "--format", "tfrecord"), "--format"),
    ],
)
def test_what_contradicts_itself(job: Job, words: Path, flags: tuple[str, ...], named: str) -> None:
    job.embed(*(flag.format(words=words) for flag in flags)).refuses(named, code=2)
    assert not job.out.exists()


@pytest.mark.parametrize(("text", "named"), [(b" \n\n", "no text"), (b"\xff\xd8\xff", "damaged")])
def test_nothing_to_count(job: Job, text: bytes, named: str) -> None:
    job.file("a.txt", text)
    job.embed("--pool", "word", "--top_words", "3").refuses(named)
    job.file("a.txt", TEXT)
    job.embed("--pool", "word", "--top_words", "1").refuses("--top_words 3, now 1")
    job.embed("--pool", "word", "--top_words", "3").succeeds()
    assert job.verify().code == 0


def test_inspect_and_the_report(job: Job, words: Path) -> None:
    job.embed("--pool", "word", "--words", words, *OUTPUTS).succeeds()
    shown = elmo_beam("inspect", job.out).succeeds().out
    assert f"their means are in {job.out}/words.parquet" in shown
    assert "elmo_mean" in shown and "word 'old man', count 3" in shown
    near = elmo_beam("inspect", job.out, "--word", "BANK").succeeds().out.splitlines()
    assert near[0] == "bank: 2 uses; nearest words, by cosine of their mean elmo"
    assert {line.strip().split("  ", 1)[1] for line in near[1:]} == {
        "old man  (3 uses)", "the  (4 uses)"
    }  # fmt: skip
    run = package.pooled_words(package.open_run(job.out))
    means = np.array(run["elmo_mean"].to_pylist())
    means -= means.mean(axis=0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    want = sorted(means[[0, 2]] @ means[1], reverse=True)
    assert [float(line.split()[0]) for line in near[1:]] == pytest.approx(want, abs=0.006)
    elmo_beam("inspect", job.out, "--word", "zebra").refuses("zebra")
    elmo_beam("report", job.out).succeeds()
    page = (job.out / "report.html").read_text()
    assert "3 of 3 words, by the means of their elmo vectors" in page
    assert 'aria-label="old man: 3 uses"' in page


def test_a_run_that_is_not_complete_can_be_looked_at(job: Job, words: Path) -> None:
    job.file("b.txt.gz", b"no gzip")
    assert job.embed("--pool", "word", "--words", words).code == 1
    assert "elmo_sum" in elmo_beam("inspect", job.out).succeeds().out
    elmo_beam("report", job.out).succeeds()
    elmo_beam("inspect", job.out, "--word", "bank").refuses("words.parquet", "same command")


@pytest.mark.parametrize("flags", [("--words", "{words}"), ("--top_words", "3")])
def test_plan_says_what_would_be_written(job: Job, words: Path, flags: tuple[str, ...]) -> None:
    job.file("b.txt", "zebra zebra zebra the the the the\n" * 9)
    listed = [flag.format(words=words) for flag in flags]
    given = ("--pool", "word", "--block_size", "100", *listed)
    inputs = ("--input", job.folder / "in" / "*", "--model", job.model)
    ran = elmo_beam("plan", *inputs, *OUTPUTS, *given).succeeds()
    job.embed(*OUTPUTS, *given).succeeds()
    rows = job.rows().num_rows
    numbers = 8 + 8 + 4
    assert f"at most {rows * numbers * 16 / 1e6:,.0f} MB in {rows} rows" in ran.out
    assert f"of {words_of(job).num_rows} of " in ran.out
    assert "words.parquet" in ran.out
