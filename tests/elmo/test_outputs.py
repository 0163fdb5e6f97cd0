"""The names and widths of what a model gives."""

from __future__ import annotations

from dataclasses import replace

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import checked_outputs, output_dim, output_names
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 4),), char_dim=4, activation="relu", n_highway=0, max_characters=50,
    lstm_dim=8, projection_dim=3, n_layers=2, cell_clip=None, proj_clip=None,
    use_skip_connections=False,
)  # fmt: skip


def test_names_are_those_of_google_elmo() -> None:
    two = ["word_emb", "lstm_outputs1", "lstm_outputs2", "elmo", "default"]
    assert output_names(OPTIONS) == two
    assert output_names(replace(OPTIONS, n_layers=1)) == ["word_emb", "lstm_outputs1", *two[3:]]


def test_all_but_the_token_vector_have_both_directions() -> None:
    widths = {name: output_dim(OPTIONS, name) for name in output_names(OPTIONS)}
    assert widths.pop("word_emb") == 3
    assert set(widths.values()) == {6}


def test_names_come_in_the_models_order_once() -> None:
    asked = ["default", "elmo", "word_emb", "elmo"]
    assert checked_outputs(OPTIONS, asked) == ["word_emb", "elmo", "default"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with refused("`outputs`", "'lstm_outputs3'", ", ".join(output_names(OPTIONS))):
        checked_outputs(OPTIONS, ["elmo", "lstm_outputs3"])


def test_no_name_is_refused_with_the_known_ones() -> None:
    with refused("`outputs` is empty", ", ".join(output_names(OPTIONS))):
        checked_outputs(OPTIONS, [])
