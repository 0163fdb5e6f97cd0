"""The recipe in an options.json."""

from __future__ import annotations

import json

import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.training.recipe import Recipe, parse_recipe


def test_what_is_left_out_has_our_value() -> None:
    assert parse_recipe('{"n_epochs": 10, "learning_rate": 0.2}', "options.json") == Recipe()


def test_what_is_stated_is_used_and_written_back() -> None:
    stated = {
        "dropout": 0.0,
        "all_clip_norm_val": 1,
        "n_negative_samples_batch": 64,
        "n_tokens_vocab": 500,
        "learning_rate_adam": 0.01,
        "batch_tokens": 100,
    }
    recipe = parse_recipe(json.dumps(stated), "options.json")
    assert recipe.to_json() == stated


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("dropout", 1.0, "below 1"),
        ("dropout", -0.1, "from 0"),
        ("dropout", "0.1", "not a number"),
        ("dropout", True, "not a number"),
        ("dropout", float("nan"), "from 0"),
        ("all_clip_norm_val", 0, "positive"),
        ("all_clip_norm_val", None, "not a number"),
        ("n_negative_samples_batch", 0, "at least 1"),
        ("n_negative_samples_batch", 2.5, "not a whole number"),
        ("n_tokens_vocab", 3, "at least 4"),
        ("learning_rate_adam", 0, "positive"),
        ("learning_rate_adam", 2, "at most 1"),
        ("batch_tokens", 0, "at least 1"),
        ("batch_tokens", [5000], "not a whole number"),
    ],
)
def test_a_value_that_cannot_be_trained_with(name: str, value: object, rule: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_recipe(json.dumps({name: value}), "my options.json")
    message = str(refused.value)
    assert message.startswith(f"my options.json: {name}") and rule in message
    assert "\n" not in message
