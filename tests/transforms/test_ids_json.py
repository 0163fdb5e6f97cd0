"""Ids of JSON Lines as strings."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.jsonl import check_objects
from elmo_beam.transforms.inputs.lines import Rejected, identity_of
from elmo_beam.transforms.inputs.shards import Damaged
from tests.helpers.blocks import make_settings, normalized, raw_block, rows_of


def json_ids(*ids: str) -> tuple[list[Any], dict[str, int]]:
    """The ids of lines of JSON that are embedded, and what is rejected."""
    lines = [b'{"text": "word", "key": %s}' % key.encode() for key in ids]
    block = normalized(raw_block(lines, shard="/in/a.jsonl"), make_settings(id_field="key"))
    assert block.total("embedded") + block.total("blank") + len(block.rejects) == len(ids)
    json.dumps(block.rejects)
    return [row["id"] for row in rows_of(block)], block.rejected


def test_ids_of_json_are_as_json_writes_them() -> None:
    ids = ['"k"', "null", "17", "1.0", "true", '{"a": [1, null]}', "1" * 4000, "-0.0", "1e400"]
    found = ["k", None, "17", "1.0", "true", '{"a": [1, null]}', "1" * 4000, "-0.0", "Infinity"]
    assert json_ids(*ids) == (found, {})


def test_an_integer_of_any_length_is_valid_json_and_an_id() -> None:
    long = "9" * 5000
    assert json_ids(long, f"-{long}", f'[{long}, {{"a": {long}}}]') == (
        [long, f"-{long}", f'[{long}, {{"a": {long}}}]'],
        {},
    )
    lines = [b'{"text": "word", "other": %s}' % long.encode(), b'{"text": %s}' % long.encode()]
    block = normalized(raw_block(lines, shard="/in/a.jsonl"), make_settings())
    assert [row["text"] for row in rows_of(block)] == ["word"]
    assert block.rejected == {"not_a_string": 1}
    check_objects(b"\n".join(lines))
    with pytest.raises(Damaged, match="one JSON document"):
        check_objects(b'{"a": %s,\n"text": "word"}' % long.encode())


def test_half_of_a_surrogate_pair_is_no_id_but_may_be_in_json() -> None:
    ids = [r'["\udfff"]', r'["\\udfff"]', r'{"\ud800": "\udc00"}', r'"\\ud800"', r'"\ud83d\ude00"']
    found = [r'["\udfff"]', r'["\\udfff"]', r'{"\ud800": "\udc00"}', r"\ud800", "\U0001f600"]
    assert json_ids(*ids) == (found, {})
    assert json_ids(r'"\ud800"', r'"x\udfff"', '"k"') == (["k"], {"bad_id": 2})


def test_lists_in_lists_in_lists_do_not_stop_a_job() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Rejected, match="bad_id"):
        identity_of(deep)
    assert json_ids("[" * 100_000 + "]" * 100_000, '"k"') == (["k"], {"not_json": 1})


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
))  # fmt: skip
def test_whatever_is_json_is_an_id(value: Any) -> None:
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        with pytest.raises(Rejected, match="bad_id"):
            identity_of(value)
        return
    found = identity_of(json.loads(json.dumps(value)))
    assert (found is None) == (value is None)
    assert (found or "").encode("utf-8").decode() == (found or "")
