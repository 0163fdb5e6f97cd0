"""A run's settings: what they survive, and which of them make another run."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import (
    ADDED,
    COMPARED,
    LIBRARIES,
    Settings,
    read_settings,
    record_settings,
)
from elmo_beam.transforms.inputs.lines import LIMIT_LINE
from tests.helpers.blocks import make_settings
from tests.helpers.refusal import refused

BASE = make_settings()
CHANGES: dict[str, Any] = {
    "digest": "f" * 64,
    "encoder": "module",
    "precision": "bfloat16",
    "outputs": ("default",),
    "format": "tfrecord",
    "dtype": "float16",
    "block_size": 1,
    "normalize": "none",
    "tokenizer": "whitespace",
    "language": "de",
    "split_sentences": True,
    "max_tokens": 4999,
    "long_sentences": "split",
    "pad_to": 10,
    "text_field": "body",
    "text_column": "body",
    "id_field": "key",
    "parquet_encoding": "plain",
    "words": ("bank",),
    "word_case": "fold",
    "keep_fields": ("label:int64",),
    "word_key": "lemma",
    "limit": 5,
    "context": 0,
    "pool": "word",
    "top_words": 5,
}
UNCOMPARED: dict[str, Any] = {"model": "elsewhere", "memory": 1, "options": {}, "trust_model": True}


def test_every_setting_is_tested_here() -> None:
    assert CHANGES.keys() | UNCOMPARED.keys() == {field.name for field in fields(Settings)}
    assert set(COMPARED) == CHANGES.keys()


def test_defaults_are_those_of_the_contract() -> None:
    settings = Settings()
    assert (settings.model, settings.encoder, settings.precision) == (
        "default",
        "native",
        "float32",
    )
    assert (settings.digest, settings.options, settings.outputs) == ("", {}, ("elmo",))
    assert (settings.format, settings.dtype, settings.block_size) == ("parquet", "float32", 262144)
    assert (settings.normalize, settings.tokenizer, settings.language) == ("nfc", "moses", "en")
    assert (settings.max_tokens, settings.long_sentences) == (None, "reject")
    assert (settings.split_sentences, settings.pad_to, settings.id_field) == (False, None, None)
    assert settings.parquet_encoding == "byte_stream_split"
    assert (settings.words, settings.word_case, settings.word_key) == ((), "exact", "form")
    assert (settings.context, settings.pool, settings.top_words) == (None, None, None)
    assert (settings.keep_fields, settings.limit) == ((), None)
    assert (settings.memory, LIMIT_LINE) == (1 << 30, 1 << 20)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_is_another_run(name: str) -> None:
    changed = replace(BASE, **{name: CHANGES[name]})
    assert changed.fingerprint != BASE.fingerprint
    assert changed.fingerprint == replace(BASE, **{name: CHANGES[name]}).fingerprint


@pytest.mark.parametrize("name", UNCOMPARED)
def test_where_the_model_is_and_memory_may_change(name: str) -> None:
    assert replace(BASE, **{name: UNCOMPARED[name]}).fingerprint == BASE.fingerprint


def test_no_two_changes_look_alike() -> None:
    prints = {replace(BASE, **{name: value}).fingerprint for name, value in CHANGES.items()}
    assert len(prints) == len(CHANGES)


def test_settings_survive_their_json() -> None:
    for settings in (BASE, make_settings(**CHANGES), make_settings(**UNCOMPARED)):
        back = Settings.from_json(json.loads(json.dumps(settings.to_json())))
        assert back == settings
        assert back.fingerprint == settings.fingerprint


def before_added(settings: Settings) -> dict[str, Any]:
    """The settings as the first version recorded them, which knew no limit but by a number."""
    first = {name: value for name, value in settings.to_json().items() if name not in ADDED}
    return {**first, "max_tokens": settings.max_tokens or 5000}


def test_the_fingerprint_of_the_first_version_holds() -> None:
    assert BASE.fingerprint == "04154ca4351cf024"
    assert Settings.from_json(before_added(BASE)) == BASE
    given = replace(BASE, max_tokens=5000)
    assert Settings.from_json(given.to_json()) == given


@pytest.mark.parametrize("name", sorted({*ADDED} & {*COMPARED}))
def test_a_run_from_before_a_setting_existed_continues_with_its_default_only(
    layout: Layout, name: str
) -> None:
    Path(layout.root).mkdir(exist_ok=True)
    document = {"settings": before_added(BASE), "versions": {}}
    Path(layout.run).write_text(json.dumps(document))
    old, new = getattr(BASE, name), CHANGES[name]
    shown = f"none, now {new[0]}" if old == () else f"{old}, now {new}".replace("None", "none")
    with refused(f"`{name}` {shown}"):
        record_settings(layout, replace(BASE, **{name: CHANGES[name]}))
    record_settings(layout, BASE)
    assert read_settings(layout) == BASE


@pytest.mark.parametrize("name", sorted(before_added(BASE)))
def test_a_record_without_a_setting_of_the_first_version_is_damaged(
    layout: Layout, name: str
) -> None:
    record_settings(layout, BASE)
    document = json.loads(Path(layout.run).read_text())
    del document["settings"][name]
    Path(layout.run).write_text(json.dumps(document))
    with refused(layout.run, "is damaged", name):
        read_settings(layout)


def test_settings_that_this_version_does_not_know_are_ignored() -> None:
    assert Settings.from_json({**BASE.to_json(), "unheard_of": 1}) == BASE


def test_settings_are_recorded_once_with_the_versions_of_all_that_matters(layout: Layout) -> None:
    record_settings(layout, BASE)
    assert read_settings(layout) == BASE
    text = Path(layout.run).read_bytes()
    assert json.loads(text)["versions"].keys() == {*LIBRARIES, "parts"}
    written = os.stat(layout.run).st_mtime_ns
    record_settings(layout, BASE)
    assert os.stat(layout.run).st_mtime_ns == written
    assert Path(layout.run).read_bytes() == text


def test_a_moved_model_and_other_memory_are_recorded_again(layout: Layout) -> None:
    record_settings(layout, BASE)
    moved = replace(BASE, model="/elsewhere", memory=1)
    record_settings(layout, moved)
    assert read_settings(layout) == moved


def test_every_setting_that_differs_is_named_with_both_values(layout: Layout) -> None:
    before = replace(BASE, outputs=("word_emb", "elmo"))
    record_settings(layout, before)
    text = Path(layout.run).read_bytes()
    expected = [
        f"`{name}` {getattr(BASE, name)}, now {value}".replace("None", "none")
        for name, value in CHANGES.items()
        if name not in ("digest", "outputs", "words", "keep_fields", "max_tokens")
    ]
    expected.append("`max_tokens` 5000 by default, now 4999")
    expected.append("`outputs` word_emb, elmo, now default")
    expected.append("`words` none, now bank")
    expected.append("`keep_fields` none, now label:int64")
    expected.append(f"`model` with digest {'0' * 12}, now {'f' * 12}")
    with refused(layout.root, "other settings", "another `output`, or `overwrite`", *expected):
        record_settings(layout, replace(before, **CHANGES))
    with refused("(`max_tokens` 5000 by default, now 9):"):
        record_settings(layout, replace(before, max_tokens=9))
    assert Path(layout.run).read_bytes() == text


def test_a_folder_without_a_run_is_not_one(layout: Layout) -> None:
    with refused(layout.root, "is not a run of elmo-beam", "run.json"):
        read_settings(layout)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b"null", b'{"settings": {}}', b'{"settings": 1}', b"\xff"]
)
def test_a_damaged_record_is_refused_and_not_overwritten(layout: Layout, text: bytes) -> None:
    record_settings(layout, BASE)
    Path(layout.run).write_bytes(text)
    for attempt in (lambda: read_settings(layout), lambda: record_settings(layout, BASE)):
        with refused(layout.run, "is damaged", "`overwrite`"):
            attempt()
    assert Path(layout.run).read_bytes() == text
