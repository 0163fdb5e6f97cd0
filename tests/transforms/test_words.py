"""Occurrences of given words: found as written, embedded as in the whole run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.embed import embed_block
from elmo_beam.transforms.outputs.schema import part_schema
from elmo_beam.transforms.words.finder import Occurrence, WordFinder, checked_words
from tests.helpers.blocks import make_settings, model_settings, normalized, raw_block, tiny_model
from tests.helpers.refusal import refused

LINES = [
    b"the cat sat on the mat .",
    b"a dog barked .",
    b"",
    b"The Cat sat .",
    b"on the mat the cat",
    b"\xff the cat",
    "ÉTÉ à Zürich".encode(),
]
ALL = ("word_emb", "lstm_outputs2", "elmo", "default")


@pytest.mark.parametrize(
    ("words", "case", "want"),
    [
        (["the"], "exact", [(0, 1, 0), (4, 1, 0)]),
        (["The"], "exact", []),
        (["The"], "fold", [(0, 1, 0), (4, 1, 0)]),
        (["the cat", "cat", "sat on the"], "exact", [(0, 2, 0), (1, 1, 1), (2, 3, 2)]),
        (["mat .", "mat . ."], "exact", [(5, 2, 0)]),
        (["the", "the mat", "the cat"], "exact", [(0, 1, 0), (0, 2, 2), (4, 1, 0), (4, 2, 1)]),
    ],
)
def test_what_is_found(words: list[str], case: str, want: list[tuple[int, int, int]]) -> None:
    found = WordFinder(words, case).find(["the", "cat", "sat", "on", "the", "mat", "."])
    assert found == [Occurrence(*one) for one in want]


@pytest.mark.parametrize(
    ("words", "case", "want"),
    [
        (["New York"], "exact", [(0, 1, 0)]),  # one token, or several: it is written the same
        (["york times", "new"], "fold", []),  # an entry begins and ends with tokens
        (["NEW YORK TIMES", "times"], "fold", [(0, 2, 0), (1, 1, 1)]),
        (["caf\u00e9", "CAF\u00c9"], "exact", [(2, 1, 0)]),  # the text has e and an accent
        (["CAF\u00c9"], "fold", [(2, 1, 0)]),
    ],
)
def test_tokens_as_a_text_has_them_are_found(
    words: list[str], case: str, want: list[tuple[int, int, int]]
) -> None:
    found = WordFinder(words, case).find(["New York", "Times", "cafe\u0301"])
    assert found == [Occurrence(*one) for one in want]


TOKENS = st.sampled_from(["a", "b", "A", "ß", "SS"])


@given(
    tokens=st.lists(TOKENS, max_size=12),
    entries=st.lists(st.lists(TOKENS, min_size=1, max_size=3), min_size=1, max_size=5),
    case=st.sampled_from(["exact", "fold"]),
)
def test_every_run_of_tokens_that_is_an_entry_is_found(
    tokens: list[str], entries: list[list[str]], case: str
) -> None:
    def same(one: list[str], other: list[str]) -> bool:
        folded = [[t.casefold() for t in part] for part in (one, other)]
        return folded[0] == folded[1] if case == "fold" else one == other

    want = [
        (begin, len(entry), word)
        for begin in range(len(tokens))
        for word, entry in enumerate(entries)
        if same(tokens[begin : begin + len(entry)], entry)
    ]
    assert WordFinder([" ".join(entry) for entry in entries], case).find(tokens) == want


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("memory", [1, 1 << 26])
def test_vectors_are_those_of_the_whole_run(model_folder: Path, dtype: str, memory: int) -> None:
    run = model_settings(model_folder, outputs=ALL, dtype=dtype)
    of_words = replace(run, words=("the cat", "the", "été"), word_case="fold")
    encoder = Encoder(tiny_model(model_folder), memory)
    lines = LINES * 3
    whole = embed_block(normalized(raw_block(lines), run), encoder, run).part.to_pylist()
    block = normalized(raw_block(lines), of_words)
    part = embed_block(block, encoder, of_words).part
    assert part.schema == part_schema(of_words)
    by_sentence = {(row["line"], row["sentence"]): row for row in whole}
    got = part.to_pylist()
    assert [row["word"] for row in got[:4]] == ["the cat", "the", "the", "the cat"]
    for row in got:
        sentence = by_sentence[row["line"], row["sentence"]]
        begin, n = row["position"], len(row["word"].split())
        assert row["token"] == " ".join(sentence["tokens"][begin : begin + n])
        assert row["tokens"] == sentence["tokens"]
        for name in ALL:
            vectors = np.array(sentence[name], np.float32)
            want = vectors if name == "default" else vectors[begin : begin + n].mean(axis=0)
            tolerance = 1e-5 if dtype == "float32" else 2e-3
            np.testing.assert_allclose(np.array(row[name], np.float32), want, atol=tolerance)
    # Three each in lines 0 and 4, two in line 3, and "été" in the last.
    assert len(got) == 3 * (3 + 3 + 2 + 1)


def test_what_becomes_of_each_line() -> None:
    block = normalized(raw_block(LINES), make_settings(words=("cat",)))
    assert (block.total("embedded"), block.total("blank"), block.total("passed_over")) == (2, 1, 3)
    assert block.rejected == {"invalid_utf8": 1}
    assert block.total("passed_sentences") == 3
    assert block.sentences["line"].to_pylist() == [0, 4]
    assert block.occurrences is not None and list(block.occurrences.positions) == [1, 4]


def test_a_block_without_any_occurrence(model_folder: Path) -> None:
    run = model_settings(model_folder, outputs=("elmo",), words=("zebra",))
    encoder = Encoder(tiny_model(model_folder))
    embedded = embed_block(normalized(raw_block(LINES), run), encoder, run)
    assert embedded.part.num_rows == 0 and embedded.part.schema == part_schema(run)
    assert embedded.steps == 0


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["bank", " old  man ", "bank", ""], ("bank", "old man")),
        (["e\u0301te\u0301"], ("été",)),
    ],
)
def test_a_list_is_normalized_as_text_is(words: list[str], want: tuple[str, ...]) -> None:
    assert checked_words(words) == want


@pytest.mark.parametrize("words", [[], ["", "  "], ["\x00"], "bank", None, [1]])
def test_what_is_no_list_of_words(words: object) -> None:
    with refused("`words`", kind=ArgumentError):
        checked_words(words)


def test_the_columns_of_an_occurrence() -> None:
    schema = part_schema(make_settings(words=("a",), id_field="x", outputs=("elmo",)))
    first = ["shard", "line", "offset", "sentence", "id", "position", "token", "word", "text"]
    assert schema.names[:9] == first
    assert schema.field("elmo").type == pa.list_(pa.float32(), 6)


@pytest.mark.parametrize("context", [0, 1, 2, 99])
def test_the_tokens_around_an_occurrence(model_folder: Path, context: int) -> None:
    run = model_settings(model_folder, outputs=("elmo",), words=("the cat", "the", "on the mat"))
    encoder, cut = Encoder(tiny_model(model_folder)), replace(run, context=context)
    whole = embed_block(normalized(raw_block(LINES * 2), run), encoder, run).part
    part = embed_block(normalized(raw_block(LINES * 2), cut), encoder, cut).part
    assert part.schema == part_schema(cut)
    assert "text" not in part.schema.names and "tokens" not in part.schema.names
    same = [name for name in part.schema.names if name not in ("left", "right")]
    assert part.select(same).equals(whole.select(same))
    for row, full in zip(part.to_pylist(), whole.to_pylist(), strict=True):
        begin, tokens = full["position"], full["tokens"]
        end = begin + len(full["word"].split())
        assert row["left"] == tokens[max(0, begin - context) : begin]
        assert row["right"] == tokens[end : end + context]
        assert row["num_tokens"] == len(tokens)
