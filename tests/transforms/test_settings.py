"""A run's settings: what they survive, and which of them make another run."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from tests.helpers.blocks import make_settings
from elmo_beam.transforms.files.settings import COMPARED, LIMIT_LINE, Settings

BASE = make_settings()
CHANGES: dict[str, Any] = {
    "digest": "f" * 64,
    "engine": "module",
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
}
UNCOMPARED: dict[str, Any] = {"model": "elsewhere", "memory": 1, "options": {}}


def test_every_setting_is_tested_here() -> None:
    assert CHANGES.keys() | UNCOMPARED.keys() == {field.name for field in fields(Settings)}
    assert set(COMPARED) == CHANGES.keys()


def test_defaults_are_those_of_the_contract() -> None:
    settings = Settings(digest="x")
    assert settings.outputs == ("elmo",)
    assert (settings.format, settings.dtype, settings.block_size) == ("parquet", "float32", 262144)
    assert (settings.normalize, settings.tokenizer, settings.language) == ("nfc", "moses", "en")
    assert (settings.max_tokens, settings.long_sentences) == (5000, "reject")
    assert (settings.split_sentences, settings.pad_to, settings.id_field) == (False, None, None)
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


def test_settings_of_another_version_keep_what_is_known() -> None:
    document = {**BASE.to_json(), "unheard_of": 1}
    assert Settings.from_json(document) == BASE
    del document["pad_to"]
    assert Settings.from_json(document) == BASE


def test_a_run_from_before_there_was_a_precision_goes_on() -> None:
    document = replace(BASE, digest="d" * 64).to_json()
    before = {name: value for name, value in document.items() if name != "precision"}
    assert Settings.from_json(before).fingerprint == Settings.from_json(document).fingerprint
    # As it was computed when `precision` came.
    assert Settings.from_json(before).fingerprint == "dfb47ea0bc885c9e"
