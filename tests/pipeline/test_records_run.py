"""Treebanks, tables and proteins through the command line; words by lemma; the first lines only."""

from __future__ import annotations

import gzip

import pytest

import elmo_beam as package
from elmo_beam.elmo.errors import ArgumentError
from tests.helpers.command import Job, assert_same_rows, elmo_beam, random_lines, vectors
from tests.helpers.refusal import refused


def word(number: int, form: str, lemma: str, upos: str) -> str:
    return "\t".join([str(number), form, lemma, upos, *"______"]) + "\n"


BANK = (
    "# sent_id = one\n# text = Banks bank.\n"
    + word(1, "Banks", "bank", "NOUN")
    + word(2, "bank", "bank", "VERB")
    + word(3, ".", ".", "PUNCT")
    + "\n# sent_id = two\n"
    + word(1, "the", "the", "DET")
    + word(2, "bank", "bank", "NOUN")
    + "\n# sent_id = three\n"
    + word(1, "none", "none", "PRON")
    + "\n"
)


def test_a_treebank_a_table_and_proteins(job: Job) -> None:
    job.file("a.conllu.gz", gzip.compress(BANK.encode() + b"1\ttoo few\n"))
    job.file("b.csv", 'text,key\n"the ""bank"",\nit is",x\nragged\n,y\n')
    job.file("c.tsv", "key\ttext\nx\tthe bank\n")
    job.file("d.fasta", ">p1 a protein\nmk v\n*\n>p2\n")
    bad = job.file("e.csv", 'text\n"open\n')
    ran = job.embed("--outputs", "elmo,default")
    ran.refuses(f"damaged: {bad} has a quote that is still open at its end, in record 0")
    manifest = job.manifest()
    assert (manifest["lines"], manifest["embedded"], manifest["blank"]) == (10, 6, 2)
    assert manifest["rejected"] == {"bad_columns": 2}
    rows = job.rows().select(["line", "text", "tokens"]).to_pylist()
    assert [(row["line"], row["tokens"]) for row in rows] == [
        (0, ["Banks", "bank", "."]),
        (1, ["the", "bank"]),
        (2, ["none"]),
        (0, ["the", '"', "bank", '"', ",", "it", "is"]),
        (0, ["the", "bank"]),
        (0, ["M", "K", "V", "*"]),
    ]
    assert rows[0]["text"] == "Banks bank." and rows[-1]["text"] == "p1 a protein"
    bad.write_text("text\n")
    job.embed("--outputs", "elmo,default").succeeds()
    assert "all as accounted" in job.verify().succeeds().out
    with_ids = job.embed("--id_field", "sent_id", "--overwrite", inputs=[job.folder / "in/a*"])
    with_ids.succeeds()
    assert job.rows()["id"].to_pylist() == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("key", "words", "found"),
    [
        ("form", "bank", [("one", 1), ("two", 1)]),
        ("lemma", "bank", [("one", 0), ("one", 1), ("two", 1)]),
        ("form/upos", "bank/NOUN", [("two", 1)]),
        ("lemma/upos", "bank/NOUN", [("one", 0), ("two", 1)]),
        ("lemma/upos", "the/DET bank/NOUN", [("two", 0)]),
    ],
)
def test_words_are_found_by_their_key(
    job: Job, key: str, words: str, found: list[tuple[str, int]]
) -> None:
    job.file("a.conllu", BANK)
    listed = job.folder / "words"
    listed.write_text(f"{words}\n")
    job.embed("--words", listed, "--word_key", key, "--id_field", "sent_id").succeeds()
    rows = job.rows().to_pylist()
    assert [(row["id"], row["position"]) for row in rows] == found
    assert {row["word"] for row in rows} == {words}
    assert rows[0]["token"] in ("Banks", "bank", "the bank")
    assert job.manifest()["lines"] == 3


def test_words_are_found_by_their_key_from_python(job: Job) -> None:
    path = job.file("a.conllu", BANK)
    run = package.embed(
        path, job.out, model=job.model, words=["bank/NOUN"], word_key="lemma/upos",
        id_field="sent_id", progress=False,
    )  # fmt: skip
    assert run.settings.words == ("bank/NOUN",)
    assert repr(run) == f"Run({str(job.out)!r}: complete, 1 file, elmo of {job.model})"
    assert run.dataframe()[["id", "token"]].values.tolist() == [["one", "Banks"], ["two", "bank"]]
    with refused("`output` ['elmo'] must be one of elmo", kind=ArgumentError):
        run.arrays(["elmo"])  # type: ignore[arg-type]
    with refused("`words`", kind=ArgumentError):  # not the whole corpus, for want of a word
        package.embed(path, job.folder / "none", model=job.model, words=[])
    assert not (job.folder / "none").exists()


def test_keys_of_words_fold_and_follow_the_pieces_of_long_sentences(job: Job) -> None:
    job.file("a.conllu", BANK)
    words = job.folder / "words"
    words.write_text("BANK/noun\n")
    flags = ("--words", words, "--word_key", "lemma/upos", "--word_case", "fold")
    job.embed(*flags, "--max_tokens", 1, "--long_sentences", "split").succeeds()
    rows = job.rows().select(["line", "sentence", "position", "token"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [(0, 0, 0, "Banks"), (1, 1, 0, "bank")]


def test_words_by_lemma_need_a_format_that_has_lemmas(job: Job) -> None:
    path = job.file("a.txt", "the bank\n")
    words = job.folder / "words"
    words.write_text("bank\n")
    flags = ("--words", words, "--word_key", "lemma")
    job.embed(*flags).refuses(f"damaged: {path} has no lemma of its words", "CoNLL-U")
    job.embed("--word_key", "lemma").refuses("--word_key lemma", "--words", code=2)


def test_the_first_lines_are_a_run_of_their_own(job: Job) -> None:
    job.file("a.txt", random_lines(30))
    job.file("b.csv", "text\n" + random_lines(30, seed=2))
    job.embed("--limit", 4).succeeds()
    first = job.rows()
    assert first["line"].to_pylist() == [0, 1, 2, 3] * 2
    assert job.manifest()["lines"] == 8
    assert "all as accounted" in job.verify().succeeds().out
    planned = elmo_beam("plan", *job.command("--limit", 4)[1:]).succeeds().out
    assert "8 (0 blank, 0 rejected)" in planned
    job.embed("--limit", 5).refuses("--limit 4, now 5")
    job.embed().refuses("--limit 4, now none")
    job.embed("--limit", 4).succeeds()
    job.embed("--overwrite").succeeds()
    whole = job.rows()
    assert whole.num_rows == 60
    assert_same_rows(first, whole.filter([row["line"] < 4 for row in whole.to_pylist()]))
    assert len(vectors(first, "elmo")) == sum(first["num_tokens"].to_pylist())
    job.embed("--limit", "0").refuses("--limit", code=2)
    with refused("`limit` 0"):
        package.embed(job.folder / "in/a.txt", job.out, limit=0)
