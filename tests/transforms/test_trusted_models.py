"""`trust_model` reaches the place where a module's graph is loaded, from every call that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.formats.handles import load_encoder
from elmo_beam.elmo.keras_layer import ElmoLayer
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.transforms import inference, steps
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.settings_checks import resolved
from elmo_beam.transforms.text_encoder import TextEncoder
from tests.helpers.blocks import make_settings
from tests.helpers.hub_modules import copy_module, make_tf1_module
from tests.helpers.oracle import random_weights
from tests.helpers.planted_ops import as_the_saver, place_of_loot, plant, steal, with_the_outputs
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 4),), char_dim=4, activation="relu", n_highway=0, max_characters=50, lstm_dim=6,
    projection_dim=5, n_layers=1, cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tf1_module(random_weights(OPTIONS), tmp_path_factory.mktemp("made") / "module")


CALLS: dict[str, Callable[[Path, bool], Any]] = {
    "load_encoder": lambda module, trust: load_encoder(module, trust_model=trust),
    "TextEncoder": lambda module, trust: TextEncoder(module, trust_model=trust),
    "ElmoLayer": lambda module, trust: ElmoLayer(module, trust_model=trust),
    "a job": lambda module, trust: resolved(Settings(model=str(module), trust_model=trust)),
}


@pytest.mark.parametrize("call", CALLS)
def test_trust_is_what_each_call_says(tmp_path: Path, made: Path, call: str) -> None:
    module, stolen = copy_module(made, tmp_path / "module"), place_of_loot(tmp_path)
    plant(module, lambda: steal(stolen), as_the_saver)
    plant(module, lambda: tf.raw_ops.MatchingFiles(pattern="/*"), with_the_outputs)
    with refused(module, "'MatchingFiles'"):
        CALLS[call](module, False)
    assert not stolen.exists()
    CALLS[call](module, True)
    assert stolen.exists()


@pytest.mark.parametrize("trust", [False, True])
def test_workers_trust_what_the_command_does(trust: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    for module in (steps, inference):
        monkeypatch.setattr(module, "claim_worker_process", lambda: None)
    monkeypatch.setattr(steps, "SentenceCache", lambda *_: None)
    monkeypatch.setattr(steps, "load_sentence_encoder", lambda *args: given.append(args[-1]))
    monkeypatch.setattr(inference, "TextEncoder", lambda *_, **k: given.append(k["trust_model"]))
    steps.ElmoHandler(replace(make_settings(), trust_model=trust)).load_model()
    inference.ElmoTexts(trust_model=trust).load_model()
    inference.ElmoEmbeddings(["a"], trust_model=trust).get_model_handler().load_model()
    assert given == [trust] * 3


def test_trust_is_true_or_false() -> None:
    wrong: Any = "yes"
    for call in (load_encoder, TextEncoder, ElmoLayer, inference.ElmoTexts):
        with refused("`trust_model` 'yes'", kind=ArgumentError):
            call(trust_model=wrong)
