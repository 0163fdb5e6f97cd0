"""Tokens become the numbers that ELMo's authors gave them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.model.characters import boundary_ids, character_ids, token_bytes
from tests.helpers.oracle import ANY_CHARACTER, characters_of

BEGIN, END, PADDING = 259, 260, 261  # of a word; every id is one higher than bilm-tf's own
X, E, ACCENT = ord("x") + 1, 0xC3 + 1, 0xA9 + 1  # é is C3 A9 in UTF-8


def ids(token: str, max_characters: int = 50) -> list[int]:
    """A token's row as the model is given it."""
    return character_ids([token_bytes(token, max_characters)], max_characters)[0].tolist()


@pytest.mark.parametrize(
    ("token", "row"),
    [
        ("cat", [BEGIN, 100, 98, 117, END, *[PADDING] * 45]),
        ("", [BEGIN, END, *[PADDING] * 48]),
        ("x" * 47, [BEGIN, *[X] * 47, END, PADDING]),
        ("x" * 48, [BEGIN, *[X] * 48, END]),
        ("x" * 60, [BEGIN, *[X] * 48, END]),
        ("é", [BEGIN, E, ACCENT, END, *[PADDING] * 46]),
        ("x" * 47 + "é", [BEGIN, *[X] * 47, E, END]),
        ("<S>", [BEGIN, 61, 84, 63, END, *[PADDING] * 45]),
        (
            "\x00\U0010ffff",
            [BEGIN, 1, 0xF4 + 1, 0x8F + 1, 0xBF + 1, 0xBF + 1, END, *[PADDING] * 43],
        ),
        ("a\ud800b", [BEGIN, 98, 99, END, *[PADDING] * 46]),
    ],
    ids=["word", "empty", "47", "48", "cut", "é", "cut é", "<S>", "ends of Unicode", "surrogate"],
)
def test_ids(token: str, row: list[int]) -> None:
    assert ids(token) == row


def test_a_shorter_model_cuts_earlier() -> None:
    assert ids("cat", max_characters=5) == [BEGIN, 100, 98, 117, END]
    assert ids("cat", max_characters=4) == [BEGIN, 100, 98, END]
    assert ids("é", max_characters=3) == [BEGIN, E, END]


def test_the_words_around_a_sentence() -> None:
    for length in (3, 50):
        rows = boundary_ids(length)
        padding = [PADDING] * (length - 3)
        assert rows.tolist() == [[BEGIN, 257, END, *padding], [BEGIN, 258, END, *padding]]
        assert rows.dtype == np.int32


@given(tokens=st.lists(st.text(ANY_CHARACTER), max_size=6), max_characters=st.integers(3, 50))
def test_rows_of_a_batch_are_each_tokens_own(tokens: list[str], max_characters: int) -> None:
    kept = [token_bytes(t, max_characters) for t in tokens]
    rows = character_ids(kept, max_characters)
    assert rows.dtype == np.int32
    assert rows.shape == (len(tokens), max_characters)
    for token, row in zip(tokens, rows.tolist(), strict=True):
        own = characters_of(token, max_characters)
        assert row == own + [PADDING] * (max_characters - len(own))


def test_a_row_may_be_as_short_as_its_longest_token() -> None:
    assert character_ids([b"a", b"xx"], 4).tolist() == [
        [BEGIN, 98, END, PADDING],
        [BEGIN, X, X, END],
    ]
