"""`inspect`: a run as a person sees it, and the neighbours of a word in its contexts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.command import Job, Ran, elmo_beam, files_of

TWICE = "we sat on the bank of the river\n"
TEXT = TWICE + "my money is in the bank now\n" + TWICE + "spring came late\n"


def inspected(job: Job, *flags: object) -> Ran:
    """`inspect` on a job's folder."""
    return elmo_beam("inspect", job.out, *flags)


def neighbours(ran: Ran) -> list[tuple[str, list[tuple[float, str]]]]:
    """Each context shown, with the cosine and context of its neighbours."""
    found: list[tuple[str, list[tuple[float, str]]]] = []
    for line in ran.succeeds().out.splitlines()[1:]:
        near = re.fullmatch(r" {4}(-?\d\.\d\d)  (.+)", line)
        if near:
            found[-1][1].append((float(near[1]), near[2]))
        elif line.strip():
            found.append((line.strip(), []))
    return found


@pytest.fixture(scope="module", params=["parquet", "tfrecord"])
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Job:
    """A finished run whose first part has no rows."""
    job = Job(tmp_path_factory.mktemp("done"), model)
    job.file("a-blank.txt", "\n\n")
    job.file("b.txt", TEXT.encode() + b"bad \xff line\n")
    job.embed("--outputs", "elmo,default", "--format", request.param).succeeds()
    return job


def test_it_shows_accounts_settings_columns_and_rows_and_changes_nothing(done: Job) -> None:
    before = files_of(done.out)
    shown = inspected(done, "--rows", 2).succeeds().out
    assert files_of(done.out) == before
    for accounts in (r"lines +7", r"embedded +4 +\(4 rows, 26 tokens\)", r"blank +2"):
        assert re.search(rf"^ *{accounts}$", shown, re.MULTILINE), shown
    assert re.search(r"invalid_utf8 +1", shown)
    assert re.search(r"outputs +elmo, default", shown)
    assert done.manifest()["settings"]["digest"] in shown
    columns, _, rows = shown.partition("columns\n")[2].partition("rows\n")
    for name in ("shard", "offset", "sentence", "tokens", "num_tokens", "elmo", "default"):
        assert re.search(rf"^  {name} +\S", columns, re.MULTILINE), columns
    assert len(rows.strip().splitlines()) == 2
    assert "[we sat on the bank of the river]" in rows
    assert "[8, 8]" in rows  # 8 tokens, 8 wide


def test_neighbours_of_a_word_come_from_other_sentences_nearest_first(done: Job) -> None:
    found = neighbours(inspected(done, "--word", "Bank"))  # in any case
    contexts = [context for context, _ in found]
    assert contexts == [
        "we sat on the [bank] of the river",
        "my money is in the [bank] now",
        "we sat on the [bank] of the river",
    ]
    assert found[0][1][0] == (1.0, "we sat on the [bank] of the river")
    for _, near in found:
        assert len(near) == 3
        assert [cosine for cosine, _ in near] == sorted((c for c, _ in near), reverse=True)
    assert not any("money" in context for _, context in found[1][1])


def test_a_word_that_is_not_there_is_refused(done: Job) -> None:
    inspected(done, "--word", "zebra").refuses("zebra", done.out)
    ran = inspected(done, "--word", "")
    ran.refuses("--word" if ran.code == 2 else "''", code=ran.code)


def test_nearest_sentences_where_a_run_has_no_token_vectors(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", "default").succeeds()
    found = neighbours(inspected(job, "--word", "bank"))
    assert [context for context, _ in found] == [
        "we sat on the bank of the river",
        "my money is in the bank now",
        "we sat on the bank of the river",
    ]
    assert found[0][1][0] == (1.0, "we sat on the bank of the river")


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        ("default,lstm_outputs2,elmo,lstm_outputs1", "lstm_outputs2"),
        ("elmo,default,word_emb", "elmo"),
    ],
)
def test_neighbours_are_by_the_top_layer_there_is(job: Job, outputs: str, shown: str) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", outputs).succeeds()
    assert f"by cosine of {shown}\n" in inspected(job, "--word", "bank").succeeds().out


def test_runs_that_cannot_show_neighbours_say_why(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", "word_emb").succeeds()
    inspected(job, "--word", "bank").refuses("word_emb")
    job.embed("--overwrite", "--outputs", "default", "--format", "tfrecord").succeeds()
    inspected(job, "--word", "bank").refuses("tfrecord", "no tokens", "Parquet")
    assert "default" in inspected(job).succeeds().out


def test_a_word_in_the_only_sentence_has_no_neighbours(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    job.embed().succeeds()
    assert neighbours(inspected(job, "--word", "bank")) == [("one [bank]", [])]


@pytest.mark.parametrize("output_format", ["parquet", "tfrecord"])
def test_a_run_without_rows_is_shown(job: Job, output_format: str) -> None:
    job.file("a.txt", "\n \n")
    job.embed("--format", output_format).succeeds()
    assert re.search(r"blank +2", inspected(job).succeeds().out)
    inspected(job, "--word", "bank").refuses(job.out)


def test_an_incomplete_run_is_shown_with_what_is_wrong(job: Job) -> None:
    job.file("a.txt", TEXT)
    damaged = job.file("b.txt.gz", "no gzip")
    job.embed().refuses(damaged)
    shown = inspected(job)
    assert shown.code == 0
    assert f"damaged: {damaged}" in shown.out
    assert neighbours(inspected(job, "--word", "bank"))


def test_the_default_model_distinguishes_two_kinds_of_banks(tmp_path: Path) -> None:
    sample = Path(__file__).resolve().parents[2] / "scripts" / "sample"
    job = Job(tmp_path, "default")
    job.embed(inputs=[sample / "*"]).succeeds()
    found = neighbours(inspected(job, "--word", "bank"))
    assert len(found) >= 6
    assert len({tuple(context for _, context in near) for _, near in found}) > 1
    same = sum("[bank]" in near[0][1] for _, near in found)
    assert same >= len(found) // 2  # a bank is most like another bank
