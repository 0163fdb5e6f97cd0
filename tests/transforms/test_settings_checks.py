"""Settings are checked before anything starts, and completed with what their model says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.settings_checks import check_settings, check_text_settings, resolved
from tests.helpers.blocks import TINY, tiny_model
from tests.helpers.refusal import refused

CHOICES = {
    "encoder": ("native", "module", "allennlp"),
    "precision": ("float32", "bfloat16"),
    "format": ("parquet", "tfrecord"),
    "dtype": ("float32", "float16"),
    "parquet_encoding": ("byte_stream_split", "plain"),
    "normalize": ("nfc", "none"),
    "tokenizer": ("moses", "whitespace"),
    "long_sentences": ("reject", "truncate", "split"),
}
COUNTS = ("memory", "block_size", "max_tokens", "pad_to")
OF_TEXT = ("normalize", "tokenizer", "long_sentences", "max_tokens", "language")


def assert_refused(changes: dict[str, Any], *parts: str) -> None:
    """These settings are wrong arguments; the refusal of one line holds the parts."""
    with pytest.raises(ArgumentError) as caught:
        check_settings(Settings(**changes))
    with refused(*parts):
        raise caught.value


def test_the_defaults_and_all_choices_are_accepted() -> None:
    check_settings(Settings())
    for name, choices in CHOICES.items():
        for choice in choices:
            changes: dict[str, Any] = {name: choice}
            check_settings(Settings(**changes))
    check_settings(Settings(language="de", split_sentences=True, id_field="key", memory=1))
    check_settings(Settings(format="tfrecord", max_tokens=9, pad_to=9))
    check_settings(Settings(tokenizer="whitespace", language="nowhere"))


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["other", "", "PARQUET", None])
def test_a_value_that_is_not_a_choice_is_named_with_the_choices(name: str, value: Any) -> None:
    assert_refused({name: value}, f"`{name}` {value!r}", ", ".join(CHOICES[name]))


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 1.5, "9", True])
def test_a_value_that_is_not_a_count_is_named(name: str, value: Any) -> None:
    changes = {"format": "tfrecord", name: value}
    assert_refused(changes, f"`{name}` {value!r} must be a whole number from 1")


def test_a_language_that_moses_lacks_is_named() -> None:
    assert_refused({"language": "xx"}, "`language` xx", "de, ")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"encoder": "module", "precision": "bfloat16"},
            ("`precision` bfloat16", "`encoder` native"),
        ),
        ({"format": "tfrecord", "dtype": "float16"}, ("`dtype` float16", "tfrecord", "float32")),
        ({"pad_to": 5000}, ("`pad_to`", "`format` parquet")),
        (
            {"format": "tfrecord", "parquet_encoding": "plain"},
            ("`parquet_encoding` plain", "`format` parquet", "tfrecord"),
        ),
        (
            {"format": "tfrecord", "pad_to": 8, "max_tokens": 9},
            ("`pad_to` 8", "`max_tokens` 9", "no larger than `pad_to`"),
        ),
    ],
)
def test_contradictions_are_named(changes: dict[str, Any], parts: tuple[str, ...]) -> None:
    assert_refused(changes, *parts)


def test_without_vectors_only_the_settings_of_text_are_checked() -> None:
    wrong: dict[str, Any] = dict.fromkeys(CHOICES, "other") | {"max_tokens": 0}
    for name in ["language", *wrong]:
        settings = Settings(**{name: wrong.get(name, "xx")})
        if name in OF_TEXT:
            with pytest.raises(ArgumentError, match=f"`{name}`"):
                check_text_settings(settings)
        else:
            check_text_settings(settings)


def test_settings_are_completed_with_the_models_digest_and_options(model_folder: Path) -> None:
    weights = tiny_model(model_folder)
    given = Settings(model=str(model_folder), outputs=("default", "elmo", "word_emb", "elmo"))
    found = resolved(given)
    assert found == replace(
        given,
        outputs=("word_emb", "elmo", "default"),
        digest=weights.digest,
        options=TINY.to_json(),
    )
    assert found.model_options == TINY
    assert resolved(found) == found


def test_a_models_folder_is_made_absolute(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_model(model_folder)
    monkeypatch.chdir(model_folder.parent)
    assert resolved(Settings(model=model_folder.name)).model == os.path.abspath(model_folder)
    assert resolved(Settings()).model == "default"


@pytest.mark.parametrize(
    ("outputs", "part"),
    [(("elmo", "lstm_outputs3"), "'lstm_outputs3'"), ((), "`outputs` is empty")],
)
def test_outputs_that_the_model_lacks_are_refused(
    model_folder: Path, outputs: tuple[str, ...], part: str
) -> None:
    tiny_model(model_folder)
    with pytest.raises(ArgumentError, match="`outputs`") as caught:
        resolved(Settings(model=str(model_folder), outputs=outputs))
    assert part in str(caught.value)


def test_a_model_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with refused("no model", tmp_path / "none"):
        resolved(Settings(model=str(tmp_path / "none")))
    with refused("no model in folder", tmp_path):
        resolved(Settings(model=str(tmp_path)))
