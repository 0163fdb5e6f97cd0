"""Pooled words: what a block keeps of them adds up to the mean and variance of their vectors."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.embed import embed_block
from elmo_beam.transforms.outputs.schema import part_schema
from elmo_beam.transforms.settings_checks import check_settings
from elmo_beam.transforms.words import pool
from tests.helpers.blocks import (
    TINY,
    make_settings,
    model_settings,
    normalized,
    raw_block,
    tiny_model,
)
from tests.helpers.refusal import refused

ALL = ("word_emb", "lstm_outputs2", "elmo", "default")
LINES = [b"the cat sat on the mat .", b"a dog .", b"", b"The Cat sat .", b"\xff the", b"the the"]
WORDS = ("sat", "the cat", "zebra", "the", "cat", "the the")


@pytest.mark.parametrize("case", ["exact", "fold"])
@pytest.mark.parametrize(("memory", "at_once"), [(1, 1), (1, 4096), (1 << 26, 3)])
def test_sums_are_those_of_the_occurrences(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, case: str, memory: int, at_once: int
) -> None:
    monkeypatch.setattr(pool, "AT_ONCE", at_once)
    single = model_settings(model_folder, outputs=ALL, words=WORDS, word_case=case)
    pooled = replace(single, pool="word")
    encoder = Encoder(tiny_model(model_folder), memory)
    rows = embed_block(normalized(raw_block(LINES * 3), single), encoder, single)
    embedded = embed_block(normalized(raw_block(LINES * 3), pooled), encoder, pooled)
    assert embedded.part.schema == part_schema(pooled)
    assert (embedded.steps, embedded.nodes) == (rows.steps, rows.nodes)
    by_word: dict[str, list[Any]] = defaultdict(list)
    for row in rows.part.to_pylist():
        by_word[row["word"]].append(row)
    got = embedded.part.to_pylist()
    assert [row["word"] for row in got] == [word for word in WORDS if word in by_word]
    for row in got:
        own = by_word[row["word"]]
        assert row["count"] == len(own)
        for name in ALL:
            vectors = np.array([one[name] for one in own], np.float64)
            np.testing.assert_allclose(row[f"{name}_sum"], vectors.sum(0), rtol=0, atol=1e-6)
            squares = (vectors * vectors).sum(0)
            np.testing.assert_allclose(row[f"{name}_squares"], squares, rtol=0, atol=1e-6)


def test_a_block_without_any_word(model_folder: Path) -> None:
    run = model_settings(model_folder, words=("zebra",), pool="word")
    encoder = Encoder(tiny_model(model_folder))
    block = normalized(raw_block(LINES), run)
    embedded = embed_block(block, encoder, run)
    assert embedded.part.num_rows == embedded.steps == 0
    assert embedded.part.schema == part_schema(run)
    counts = (block.total(name) for name in ("embedded", "passed_over", "blank"))
    assert tuple(counts) == (0, 4, 1)


def test_the_columns_of_a_part() -> None:
    schema = part_schema(make_settings(words=("a",), pool="word", outputs=("elmo", "default")))
    vector = pa.list_(pa.float64(), 2 * TINY.projection_dim)
    assert schema == pa.schema(
        [("word", pa.string()), ("count", pa.int64())]
        + [
            (f"{name}_{what}", vector)
            for name in ("elmo", "default")
            for what in ("sum", "squares")
        ]
    )


@given(rows=st.integers(0, 40), dim=st.integers(1, 9000))
def test_zeros_on_disk_can_be_added_to(rows: int, dim: int) -> None:
    zeros = pool.zeros_on_disk(rows, dim)
    assert zeros.shape == (2, rows, dim) and not zeros.any()
    zeros += 1.0
    assert (zeros == 1.0).all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pool": "sentence", "words": ("a",)}, "`pool`"),
        ({"pool": "word"}, "`top_words`"),
        ({"top_words": 3}, "`pool`"),
        ({"top_words": 3, "words": ("a",)}, "`pool`"),
        ({"pool": "word", "top_words": 0}, "`top_words`"),
        ({"pool": "word", "top_words": True}, "`top_words`"),
        ({"pool": "word", "words": ("a",), "format": "tfrecord"}, "`format`"),
        ({"pool": "word", "words": ("a",), "id_field": "id"}, "`id_field`"),
        ({"pool": "word", "words": ("a",), "context": 3}, "`context`"),
        ({"pool": "word", "top_words": 3, "pad_to": 9, "max_tokens": 9}, "`pad_to`"),
        ({"pool": "word", "words": ("a",), "dtype": "float16"}, "`dtype`"),
    ],
)
def test_what_contradicts_pooling(changes: dict[str, Any], named: str) -> None:
    with refused(named, kind=ArgumentError):
        check_settings(make_settings(**changes))
