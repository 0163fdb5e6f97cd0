"""TF-Hub modules: the same weights and vectors as the published layout, or an error in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.passes import SentenceEncoder, in_order
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from elmo_beam.elmo.formats.handles import load_sentence_encoder, read_weights
from elmo_beam.elmo.formats.hub_module import HubModule, read_module, read_unchecked
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.sentences import Sentences
from tests.helpers.hub_modules import Arrays, change_variables, copy_module, make_module
from tests.helpers.oracle import Oracle, assert_close, random_weights
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 4), (3, 6)), char_dim=4, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=8, projection_dim=5, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip
TEXT = [["The", "bird", "sang", "."], [], ["?"], ["x" * 60, "é", "\ud800", "", "naïve", "it"]]
LAYERS = ["word_emb", "lstm_outputs1", "lstm_outputs2", "elmo"]


@pytest.fixture(scope="module")
def weights(hub_module: Path) -> Weights:
    """The reference module's weights, as the native encoder uses them."""
    return read_module(hub_module)


@pytest.fixture(scope="module")
def module(hub_module: Path, weights: Weights) -> HubModule:
    return HubModule(hub_module, weights.options)


@pytest.fixture
def copied(hub_module: Path, tmp_path: Path) -> Path:
    """A copy of the reference module for the test to spoil."""
    return copy_module(hub_module, tmp_path / "module")


def encode(encoder: SentenceEncoder, text: list[list[str]], names: list[str]) -> Arrays:
    sentences = Sentences.from_lists(text)
    return in_order(encoder.passes(sentences, names), sentences)


def test_a_module_is_the_published_weights(weights: Weights, bilm_tf: Path) -> None:
    published = read_bilm(bilm_tf)
    assert weights.options == published.options
    assert weights.digest == published.digest


@pytest.mark.parametrize("encoder", ["module", "native"])
def test_both_encoders_are_gold(
    module: HubModule, weights: Weights, bilm_tf: Path, encoder: str
) -> None:
    lists = json.loads((bilm_tf / "lm_embeddings_sentences.json").read_text())
    text = [sentence.split() for sentences in lists for sentence in sentences]
    got = encode(module if encoder == "module" else Encoder(weights), text, LAYERS)
    with np.load(bilm_tf / "zero_state.npz") as file:
        gold = np.concatenate([file[str(i)] for i in range(len(text))], axis=1)
    assert_close(np.concatenate([got["word_emb"]] * 2, axis=1), gold[0], 1e-6)
    assert_close(got["lstm_outputs1"], gold[1], 1e-6)
    assert_close(got["lstm_outputs2"], gold[2], 1e-6)
    assert_close(got["elmo"], gold.mean(axis=0), 1e-6)


def test_the_module_and_the_native_encoder_agree_on_any_text(
    module: HubModule, weights: Weights
) -> None:
    names = [*LAYERS, "default"]
    texts: list[list[list[str]]] = [[], [[]], TEXT, TEXT * 40]
    for text in texts:
        got, want = encode(module, text, names), encode(Encoder(weights), text, names)
        for name in names:
            assert_close(got[name], want[name], 1e-5)


def test_default_is_the_mean_over_the_real_tokens_in_any_batch(
    module: HubModule, hub_module: Path
) -> None:
    one_by_one = HubModule(hub_module, module.options, memory=1)
    passes = list(one_by_one.passes(Sentences.from_lists(TEXT), ["default"]))
    assert [p.rows.tolist() for p in passes] == [[0], [1], [2], [3]]
    for encoder, text in [(module, TEXT), (module, TEXT[::-1]), (one_by_one, TEXT)]:
        means = encode(encoder, text, ["default"])["default"]
        assert means.shape == (len(text), 32)
        for tokens, mean in zip(text, means, strict=True):
            own = encode(module, [tokens], ["elmo"])["elmo"]
            assert_close(mean, own.mean(axis=0) if tokens else np.zeros(32), 1e-6)


def test_an_output_that_the_module_lacks_is_refused(module: HubModule) -> None:
    with refused("'lstm_outputs3'", "lstm_outputs2"):
        encode(module, TEXT, ["lstm_outputs3"])


def test_a_modules_own_mix_of_layers_is_used(copied: Path, weights: Weights) -> None:
    def mix(arrays: Arrays) -> None:
        arrays["aggregation/weights"] = np.array([0.5, -1.0, 2.0], np.float32)
        arrays["aggregation/scaling"] = np.array(1.5, np.float32)

    change_variables(copied, mix)
    mixed = read_module(copied, weights.options)
    assert mixed.digest != weights.digest
    got = Encoder(mixed).encode(TEXT, ["elmo"])["elmo"]
    assert_close(got, HubModule(copied, mixed.options).encode(TEXT)["elmo"], 1e-6)
    assert np.abs(got - Encoder(weights).encode(TEXT, ["elmo"])["elmo"]).max() > 0.01


def test_a_mix_under_the_names_of_deeppavlovs_training(copied: Path, weights: Weights) -> None:
    """As bilm-tf's `weight_layers` makes them: the scaling is an array of one."""
    mix = np.array([0.5, -1.0, 2.0], np.float32)

    def renamed(arrays: Arrays) -> None:
        for name in ("aggregation/weights", "aggregation/scaling"):
            del arrays[name]
        arrays["aggregation/elmo_output_ELMo_W"] = mix
        arrays["aggregation/elmo_output_ELMo_gamma"] = np.array([1.5], np.float32)

    change_variables(copied, renamed)
    read = read_module(copied, weights.options)
    shares = np.exp(mix + 1 / 3) / np.exp(mix + 1 / 3).sum()
    assert_close(read.layer_mix(), 1.5 * shares, 1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "no skip"])
def test_what_no_variable_shows_is_found_by_comparing_vectors(
    tmp_path: Path, activation: str, skip: bool
) -> None:
    options = replace(OPTIONS, activation=activation, use_skip_connections=skip)
    made = random_weights(options)
    read = read_module(make_module(made, tmp_path / "module"), trust_model=True)
    assert read.options == options
    assert read.digest == made.digest


@pytest.mark.parametrize(
    "change", [{"n_layers": 1, "n_highway": 0}, {"lstm_dim": 5}, {"n_layers": 3}]
)
def test_modules_of_other_shapes(tmp_path: Path, change: dict[str, int]) -> None:
    made = random_weights(replace(OPTIONS, **change))  # type: ignore[arg-type]
    read = read_module(make_module(made, tmp_path / "module"), trust_model=True)
    assert read.options == made.options
    assert read.digest == made.digest


def test_a_module_that_no_native_encoder_reproduces(tmp_path: Path) -> None:
    """It can still run itself."""
    made = random_weights(OPTIONS)
    clipped = Weights(replace(OPTIONS, proj_clip=0.1), made.arrays)
    folder = make_module(made, tmp_path / "module", computes=clipped)
    with refused(folder, "`encoder` module"):
        read_module(folder, trust_model=True)
    encoder = load_sentence_encoder(str(folder), "module", 1 << 20, trust_model=True)
    want = Oracle(clipped).encode_all([["a", "b"]])["elmo"]
    assert_close(encode(encoder, [["a", "b"]], ["elmo"])["elmo"], want, 1e-6)


def test_weights_of_a_module_that_runs_itself_are_not_compared(hub_module: Path) -> None:
    first, again = read_unchecked(hub_module), read_unchecked(hub_module)
    assert first.digest == again.digest
    assert first.options.n_layers == 2
    assert first.options.projection_dim == 16


def test_known_options_need_no_comparison(
    copied: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a worker, whose command has compared the module with the native encoder."""
    monkeypatch.setattr("elmo_beam.elmo.formats.hub_module.HubModule", None)
    assert read_module(copied, weights.options).digest == weights.digest


@pytest.mark.parametrize("encoder", ["native", "module"])
def test_a_saved_model_that_is_not_an_elmo(tmp_path: Path, encoder: str) -> None:
    other = tf.Module()
    other.scale = tf.Variable(2.0)
    other.call = tf.function(
        lambda x: x * other.scale, input_signature=[tf.TensorSpec([], tf.float32)]
    )
    tf.saved_model.save(other, str(tmp_path / "other"))
    with refused(tmp_path / "other", "not an ELMo"):
        load_sentence_encoder(str(tmp_path / "other"), encoder, 1 << 20)
    with refused(tmp_path / "other", "tokens"):
        HubModule(tmp_path / "other", OPTIONS)


VARIABLES = ("variables.index", "variables.data-00000-of-00001")


@pytest.mark.parametrize("encoder", ["native", "module"])
@pytest.mark.parametrize("part", [None, 0.0, 0.5])
@pytest.mark.parametrize("names", [VARIABLES[:1], VARIABLES[1:], VARIABLES])
def test_variables_that_are_missing_or_cut(
    copied: Path, names: tuple[str, ...], part: float | None, encoder: str
) -> None:
    for name in names:
        path = copied / "variables" / name
        data = path.read_bytes()
        path.unlink()
        if part is not None:
            path.write_bytes(data[: int(len(data) * part)])
    with refused("cannot read", copied / "variables"):
        read_weights(str(copied), encoder)


def test_variables_that_are_damaged(copied: Path) -> None:
    path = copied / "variables" / VARIABLES[1]
    path.write_bytes(bytes(path.stat().st_size))
    with refused("cannot read the variables", copied):
        read_weights(str(copied))


def test_a_graph_that_is_damaged(copied: Path) -> None:
    (copied / "saved_model.pb").write_bytes(b"junk")
    with refused("cannot run", copied):
        read_weights(str(copied))


@pytest.mark.parametrize("encoder", ["native", "module"])
@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("bilm/char_embed", "char_embed"),
        ("bilm/CNN/W_cnn_0", "not an ELMo"),
        ("bilm/CNN_proj/b_proj", "CNN_proj/b_proj"),
        ("bilm/RNN_0/RNN/MultiRNNCell/Cell0/rnn/lstm_cell/kernel", "not an ELMo"),
        ("bilm/RNN_1/RNN/MultiRNNCell/Cell1/rnn/lstm_cell/bias", "Cell1/LSTMCell/B"),
    ],
)
def test_a_missing_variable(copied: Path, missing: str, problem: str, encoder: str) -> None:
    def remove(arrays: Arrays) -> None:
        del arrays[missing]

    change_variables(copied, remove)
    with refused(copied, problem):
        read_weights(str(copied), encoder)


def test_a_variable_that_is_not_finite(copied: Path) -> None:
    def spoil(arrays: Arrays) -> None:
        arrays["bilm/CNN_proj/b_proj"] = arrays["bilm/CNN_proj/b_proj"] * np.nan

    change_variables(copied, spoil)
    with refused(copied, "CNN_proj/b_proj", "not finite"):
        read_weights(str(copied))


def test_a_module_whose_character_table_has_no_padding_row(copied: Path, weights: Weights) -> None:
    """As the published layout leaves it out; the row before the table is zeros either way."""

    def cut(arrays: Arrays) -> None:
        arrays["bilm/char_embed"] = arrays["bilm/char_embed"][1:]

    change_variables(copied, cut)
    assert read_module(copied, weights.options).digest == weights.digest


def test_a_module_of_words_not_characters(copied: Path) -> None:
    def cut(arrays: Arrays) -> None:
        arrays["bilm/char_embed"] = arrays["bilm/char_embed"][:100]

    change_variables(copied, cut)
    with refused(copied, "not an ELMo"):
        read_weights(str(copied))
