"""JSON that is not JSON Lines is damaged as a whole; JSON Lines with a bad line are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.jsonl import check_objects
from elmo_beam.transforms.plan import Plan, make_plan
from tests.helpers.blocks import make_settings, write_shard

OBJECTS: list[dict[str, Any]] = [{"text": "one bank"}, {"text": "two {banks}", "tags": ["a", {}]}]
NAMES = ["a.json", "a.jsonl", "a.ndjson.gz", "a.JSON.zst"]


def planned(folder: Path, name: str, text: str) -> Plan:
    path = folder / name
    path.unlink(missing_ok=True)
    return make_plan(write_shard(path, text.encode()), make_settings())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        *(json.dumps(d, indent=n) for d in (OBJECTS, {"data": OBJECTS}) for n in (0, 2, "\t")),
        json.dumps(OBJECTS),
        json.dumps(OBJECTS) + "\n\n",
        "\ufeff" + json.dumps(OBJECTS, indent=1).replace("\n", "\r\n"),
        "\n \n" + json.dumps(OBJECTS[0], indent=4),
        "[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]\n",
        "[\n" + json.dumps(OBJECTS[0]) + "\n]\n",
        "[" + ",\n".join(map(json.dumps, OBJECTS)) + "]",
        "[" + "\n,".join(map(json.dumps, OBJECTS)) + "]",
    ],
    ids=range(14),
)
def test_one_document_is_damaged_and_told_what_to_do(tmp_path: Path, name: str, text: str) -> None:
    damaged = planned(tmp_path, name, text).damaged
    assert damaged is not None
    assert "is one JSON document" in damaged and "JSON Lines" in damaged and "jq -c" in damaged
    assert len(damaged.splitlines()) == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_larger_than_what_is_looked_at_is_too(
    tmp_path: Path, indent: int | None
) -> None:
    damaged = planned(tmp_path, "a.json", json.dumps(OBJECTS * 60_000, indent=indent)).damaged
    assert damaged is not None and "is one JSON document" in damaged


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "first",
    [
        "",
        "{}",
        "[]",
        "[1, 2]",
        '["a"]',
        "no json",
        '{"text": "cut',
        '{"text": "cut",',
        '{"text":',
        "{",
        '{"text": "a"}}',
        "[broken",
        '"text"',
        "null",
        '[{"text": "an array as any line"}]',
    ],
)
def test_json_lines_with_a_bad_first_line_lose_only_that(
    tmp_path: Path, name: str, first: str
) -> None:
    plan = planned(tmp_path, name, f"{first}\n" + "\n".join(map(json.dumps, OBJECTS)) + "\n")
    assert (plan.damaged, plan.lines) == (None, 3)


VALUES = st.none() | st.floats(allow_nan=False) | st.text(max_size=5)
NESTED = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES)


@given(st.lists(st.dictionaries(st.text(max_size=3), NESTED, max_size=3), max_size=4))
@example([{}])
def test_objects_of_any_kind_are_json_lines(objects: list[dict[str, Any]]) -> None:
    for ascii_only in (True, False):
        check_objects(
            "".join(json.dumps(o, ensure_ascii=ascii_only) + "\n" for o in objects).encode()
        )
