"""The most frequent tokens: counted by a pipeline, over everything, and written once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.count_words import TopWords
from elmo_beam.transforms.embed_shards import EmbedShards
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.plan import recorded_plan
from elmo_beam.transforms.top_words import (
    most_frequent,
    recorded_top_words,
    token_counts,
    write_top_words,
)
from elmo_beam.transforms.words.finder import WordFinder, checked_words
from tests.helpers.blocks import (
    local_pipeline,
    make_settings,
    model_settings,
    normalized,
    raw_block,
    write_shard,
)
from tests.helpers.refusal import refused

SETTINGS = make_settings(
    pool="word", top_words=4, tokenizer="whitespace", block_size=30, max_tokens=5
)
SHARDS = {
    "a.txt": b"b a a\n\nc B b\n" * 3,
    "b.txt.gz": b"c c c c\n\xff a a\nx x x x x x\nd\n" * 2,
    "c.txt": b"PK\x03\x04 archive",
    "d.txt": b"",
}


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return [write_shard(tmp_path / name, data) for name, data in SHARDS.items()]


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, {"c": 11, "a": 6, "b": 6, "B": 3}),
        ({"word_case": "fold"}, {"c": 11, "b": 9, "a": 6, "d": 2}),
        ({"top_words": 1}, {"c": 11}),
        ({"top_words": 99}, {"c": 11, "a": 6, "b": 6, "B": 3, "d": 2}),
        ({"max_tokens": 9}, {"x": 12, "c": 11, "a": 6, "b": 6}),
    ],
)
def test_tokens_of_what_is_embedded_are_counted(
    layout: Layout, paths: list[str], changes: dict[str, Any], want: dict[str, int]
) -> None:
    settings = replace(SETTINGS, **changes)
    with local_pipeline() as pipeline:
        written = pipeline | beam.Create(paths) | TopWords(layout, settings)
        assert_that(written, equal_to([layout.top_words]))
    found = json.loads(Path(layout.top_words).read_text())
    assert list(found.items()) == list(want.items())
    assert recorded_top_words(layout) == tuple(want)
    plans = [recorded_plan(layout, path) for path in paths]
    assert [plan is not None and plan.good for plan in plans] == [True, True, False, True]


def test_blocks_that_are_done_count_too(model_folder: Path, layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", b"b a a\n")
    settings = model_settings(model_folder, pool="word", top_words=2, words=("a",))
    with local_pipeline() as pipeline:
        pipeline | beam.Create([path]) | EmbedShards(layout.root, settings)
    with local_pipeline() as pipeline:
        pipeline | beam.Create([path]) | TopWords(layout, settings)
    assert recorded_top_words(layout) == ("a", "b")


def test_the_transform_wants_the_list(layout: Layout) -> None:
    with refused("`top_words`", "`words`", "elmo_beam.embed", kind=ArgumentError):
        EmbedShards(layout.root, SETTINGS)


def test_without_text_the_list_is_empty(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", b"\n \n")
    with local_pipeline() as pipeline:
        pipeline | beam.Create([path]) | TopWords(layout, SETTINGS)
    assert Path(layout.top_words).exists() and recorded_top_words(layout) == ()


@pytest.mark.parametrize("data", [None, b"", b"[1", b"\xff"])
def test_a_list_that_cannot_be_read_is_none(layout: Layout, data: bytes | None) -> None:
    if data is not None:
        Path(layout.top_words).parent.mkdir(exist_ok=True)
        Path(layout.top_words).write_bytes(data)
    assert recorded_top_words(layout) == ()


TEXT = st.lists(
    st.text(st.characters(exclude_characters=" \n", exclude_categories=["Cs"]), min_size=1),
    min_size=1,
    max_size=8,
).map(" ".join)


@given(
    lines=st.lists(TEXT, max_size=4),
    normalize=st.sampled_from(["nfc", "none"]),
    case=st.sampled_from(["exact", "fold"]),
)
def test_a_counted_token_is_an_entry_that_is_found_as_often(
    lines: list[str], normalize: str, case: str
) -> None:
    settings = make_settings(tokenizer="whitespace", normalize=normalize, word_case=case)
    block = normalized(raw_block([line.encode() for line in lines]), settings)
    counts = token_counts(block, settings)
    entries = most_frequent(counts, 3)
    if normalize == "nfc" and case == "exact":
        assert counts.total() == sum(block.sentences["num_tokens"].to_pylist())
    if not entries:
        return
    assert checked_words(entries) == entries
    finder = WordFinder(entries, case)
    tokens = block.sentences["tokens"].to_pylist()
    found = Counter(entries[one.word] for sentence in tokens for one in finder.find(sentence))
    assert found == {entry: counts[entry] for entry in entries}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 3)))
def test_what_is_written_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]
) -> None:
    layout = Layout(str(tmp_path_factory.mktemp("run")))
    words = most_frequent(counts, 5)
    assert list(words) == sorted(counts, key=lambda word: (-counts[word], word))[:5]
    write_top_words([(word, counts[word]) for word in words], layout)
    assert recorded_top_words(layout) == words
