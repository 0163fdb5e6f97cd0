"""CoNLL-U as input: a sentence a record, its words as they stand."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elmo_beam.transforms.inputs.lines import Record
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import (
    make_settings,
    normalized,
    read_shard,
    records_of,
    rows_of,
    write_shard,
)

EWT = Path(__file__).resolve().parents[3] / "shared/corpora/ud_english_ewt"


def word(number: int | str, form: str, lemma: str = "_", upos: str = "_") -> str:
    return "\t".join([str(number), form, lemma, upos, *"______"]) + "\n"


GO = (
    "# newdoc\n# sent_id = a-1\n# text = Don't  go.\n"
    + word("1-2", "Don't")
    + word(1, "Do", "do", "AUX")
    + word(2, "n't", "not", "PART")
    + word(3, "go", "go", "VERB")
    + word("3.1", "there", "there", "ADV")
    + word(4, ".", ".", "PUNCT")
)
YORK = word(1, "New York", "New York", "PROPN") + word(2, "Cafe\u0301\xa0x", "_", "NOUN")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_words_as_they_stand_with_text_and_id(tmp_path: Path, line_end: str) -> None:
    data = f"\n \n{GO}\n\n\t\n{YORK}\n# only = a comment\n\n".replace("\n", line_end).encode()
    path = write_shard(tmp_path / "a.conllu", data)
    got = records_of(path, id_field="sent_id")
    offsets = [data.index(start) for start in (b"# newdoc", b"1\tNew", b"# only")]
    assert [offset for offset, _ in got] == offsets
    go, york, none = (record for _, record in got)
    comments = {"sent_id": "a-1", "text": "Don't  go."}
    assert go == Record("Don't  go.", "a-1", ["Do", "n't", "go", "."], fields=comments)
    assert york == Record("New York Cafe\u0301\xa0x", None, ["New York", "Cafe\u0301\xa0x"])
    assert none == Record("", None, [], fields={"only": "a comment"})


def test_the_rows_of_a_treebank(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.conllu", f"{GO}\n{YORK}\n# only a comment\n".encode())
    run = make_settings(id_field="sent_id", tokenizer="moses", split_sentences=True)
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert (block.total("embedded"), block.total("blank"), block.rejected) == (2, 1, {})
    rows = rows_of(block)
    assert [(r["line"], r["sentence"], r["id"], r["tokens"]) for r in rows] == [
        (0, 0, "a-1", ["Do", "n't", "go", "."]),
        (1, 0, None, ["New York", "Cafe\u0301\xa0x"]),
    ]
    assert rows[0]["text"] == "Don't  go."


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("just text\n", "bad_columns"),
        (word(1, "a").replace("\t_\n", "\n"), "bad_columns"),
        (word(1, "a")[:-1] + "\t_\n", "bad_columns"),
        (word(1, "a").replace("\t", "    "), "bad_columns"),
        (word(1, ""), "bad_columns"),
        (word(1, "a") + word("2-3", ""), "bad_columns"),
        (word(2, "a"), "bad_ids"),
        (word(0, "a"), "bad_ids"),
        (word(1, "a") + word(3, "b"), "bad_ids"),
        (word(1, "a") + word(1, "b"), "bad_ids"),
        (word("01", "a"), "bad_ids"),
        (word("one", "a"), "bad_ids"),
        (word("", "a"), "bad_ids"),
        (word("1-", "a"), "bad_ids"),
        (" " + word(1, "a"), "bad_ids"),
        (word("\u0661", "a"), "bad_ids"),
        (word(1, "\udcff"), "invalid_utf8"),
    ],
)
def test_a_damaged_sentence_is_rejected_with_its_reason_and_id(
    tmp_path: Path, bad: str, reason: str
) -> None:
    text = f"{GO}\n# sent_id = bad\n{bad}\n{YORK}"
    path = write_shard(tmp_path / "a.conllu", text.encode("utf-8", "surrogateescape"))
    run = make_settings(id_field="sent_id")
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert [row["line"] for row in rows_of(block)] == [0, 2]
    (reject,) = block.rejects
    assert (reject["line"], reject["reason"]) == (1, reason)
    assert reject["id"] == (None if reason == "invalid_utf8" else "bad")


def test_annotations_and_comments_are_kept_and_sliced_with_long_sentences(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.conllu", f"{GO}\n# sent_id = b\n{word(2, 'x')}".encode())
    run = make_settings(
        keep_fields=("upos:list<string>", "sent_id"), max_tokens=3, long_sentences="split"
    )
    (block,) = [normalized(raw, run) for raw in read_shard(path, run)[1]]
    assert [(row["tokens"], row["upos"], row["sent_id"]) for row in rows_of(block)] == [
        (["Do", "n't", "go"], ["AUX", "PART", "VERB"], "a-1"),
        (["."], ["PUNCT"], "a-1"),
    ]
    (reject,) = block.rejects
    assert (reject["reason"], reject["sent_id"]) == ("bad_ids", "b")


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n\n", b"\xef\xbb\xbf\n\n"])
def test_blank_lines_alone_are_no_records(tmp_path: Path, data: bytes) -> None:
    plan = make_plan(write_shard(tmp_path / "a.conllu", data), make_settings())
    assert (plan.damaged, plan.lines) == (None, 0)


def test_long_comments_take_no_more_than_their_length(tmp_path: Path) -> None:
    lines = [f"#{'x' + ' ' * 400_000}\n", f"#{'= ' * 200_000}\n", f"#{' ' * 400_000}\n"]
    for i, line in enumerate(lines):
        path = write_shard(tmp_path / f"{i}.conllu", (line + word(1, "a")).encode())
        ((_, record),) = records_of(path, id_field="sent_id")
        assert isinstance(record, Record) and record.tokens == ["a"]


def test_what_check_text_finds_is_damaged(tmp_path: Path) -> None:
    plan = make_plan(write_shard(tmp_path / "a.conllu", GO.encode("utf-16")), make_settings())
    assert plan.damaged is not None and "UTF-16" in plan.damaged


def plain_sentences(path: Path) -> Iterator[list[str]]:
    """The forms of each sentence, by splitting only."""
    for block in gzip.decompress(path.read_bytes()).decode().strip().split("\n\n"):
        lines = [line.split("\t") for line in block.split("\n") if not line.startswith("#")]
        yield [columns[1] for columns in lines if columns[0].isdecimal()]


@pytest.mark.skipif(not EWT.exists(), reason="no treebank in shared/corpora")
@pytest.mark.parametrize(("part", "sentences", "words"), [("train", 12_544, 204_577)])
def test_a_treebank_has_as_many_rows_and_tokens_as_it_has_sentences_and_words(
    part: str, sentences: int, words: int
) -> None:
    path = EWT / f"{part}.conllu.gz"
    run = make_settings(id_field="sent_id")
    blocks = [normalized(raw, run) for raw in read_shard(str(path), run)[1]]
    rows: list[dict[str, Any]] = [row for block in blocks for row in rows_of(block)]
    want = list(plain_sentences(path))
    assert [row["tokens"] for row in rows] == want
    assert (len(want), sum(map(len, want))) == (sentences, words)
    assert len({row["id"] for row in rows}) == sentences
    text = gzip.decompress(path.read_bytes())
    for row in rows[::500]:
        assert text[row["offset"] :].split(b"\n\n")[0].count(row["id"].encode()) >= 1
