"""Accounts: what became of each line of a block, and whether a block is done."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elmo_beam.transforms.accounts import (
    Accounts,
    BlockKey,
    Counts,
    Piece,
    accounts_path,
    is_done,
    part_path,
    read_accounts,
    rejects_path,
    write_accounts,
)
from elmo_beam.transforms.files.layout import Layout, block_stem, shard_stem
from elmo_beam.transforms.files.storage import write_bytes
from elmo_beam.transforms.inputs.blocks import Block
from tests.helpers.blocks import make_settings

RUN = make_settings()
PIECE = Piece("/in/a.txt", "c0ffee", Block(100, 50, 7, 6))
KEY = BlockKey(block_stem(shard_stem("/in/a.txt"), 100), (PIECE,))
COUNTS = Counts(
    shard="/in/a.txt",
    content="c0ffee",
    start=100,
    length=50,
    lines=6,
    embedded=3,
    blank=1,
    rejected={"not_json": 1, "null_text": 1},
    rows=4,
    tokens=20,
)
ACCOUNTS = Accounts(run=RUN.fingerprint, pieces=(COUNTS,), sha256="ab")


def commit(layout: Layout, accounts: Accounts = ACCOUNTS) -> None:
    write_bytes(layout.root, part_path(layout, RUN, KEY.stem), b"a part")
    write_accounts(layout, KEY.stem, accounts)


def test_accounts_survive_their_file(layout: Layout) -> None:
    assert read_accounts(layout, KEY.stem) is None
    commit(layout)
    assert read_accounts(layout, KEY.stem) == ACCOUNTS
    pack = replace(ACCOUNTS, pieces=(COUNTS, replace(COUNTS, shard="/in/b.txt")))
    commit(layout, pack)
    assert read_accounts(layout, KEY.stem) == pack


def test_accounts_of_a_single_piece_are_one_flat_object(layout: Layout) -> None:
    commit(layout)
    flat = json.loads(Path(accounts_path(layout, KEY.stem)).read_bytes())
    assert {"shard": "/in/a.txt", "lines": 6, "sha256": "ab"}.items() <= flat.items()
    assert "pieces" not in flat


def test_accounts_balance_where_every_line_is_counted_once() -> None:
    assert COUNTS.balanced
    for change in ({"embedded": 4}, {"blank": 0}, {"rejected": {"not_json": 1}}, {"lines": 7}):
        assert not replace(COUNTS, **change).balanced


def test_a_block_is_done_when_its_part_and_its_accounts_are_there(layout: Layout) -> None:
    assert not is_done(layout, RUN, KEY)
    commit(layout)
    assert is_done(layout, RUN, KEY)
    os.remove(part_path(layout, RUN, KEY.stem))
    assert not is_done(layout, RUN, KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"shard": "/in/b.txt"},
        {"content": "other"},
        {"start": 0},
        {"length": 51},
        {"lines": 7, "embedded": 4},
        {"blank": 2},
    ],
)
def test_accounts_of_anything_else_do_not_count(layout: Layout, change: dict[str, Any]) -> None:
    changed = replace(COUNTS, **change)
    for other in (
        replace(ACCOUNTS, pieces=(changed,)),
        replace(ACCOUNTS, pieces=(COUNTS, changed)),
        replace(ACCOUNTS, pieces=()),
        replace(ACCOUNTS, run="0" * 16),
    ):
        commit(layout, other)
        assert not is_done(layout, RUN, KEY)


def test_a_changed_setting_asks_for_the_block_again(layout: Layout) -> None:
    commit(layout)
    assert not is_done(layout, make_settings(max_tokens=9), KEY)
    assert is_done(layout, make_settings(memory=1, model="elsewhere"), KEY)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"null", b'{"shard": 1}', b"\xff", b"7"])
def test_accounts_that_cannot_be_read_are_none(layout: Layout, text: bytes) -> None:
    commit(layout)
    Path(accounts_path(layout, KEY.stem)).write_bytes(text)
    assert read_accounts(layout, KEY.stem) is None
    assert not is_done(layout, RUN, KEY)


def test_everything_of_a_block_has_its_name(layout: Layout) -> None:
    stem = KEY.stem
    assert stem == f"a.txt-{shard_stem('/in/a.txt')[-8:]}-000000000000100"
    assert accounts_path(layout, stem) == f"{layout.root}/blocks/{stem}.json"
    assert rejects_path(layout, stem) == f"{layout.root}/rejects/{stem}.jsonl"
    assert part_path(layout, RUN, stem) == f"{layout.root}/parts/{stem}.parquet"
    tfrecord = make_settings(format="tfrecord")
    assert part_path(layout, tfrecord, stem) == f"{layout.root}/parts/{stem}.tfrecord"
