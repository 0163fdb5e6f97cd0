"""options.json: the shape of a model that it states, and what is wrong with a bad one."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import parse_options
from tests.helpers.refusal import refused

GOOGLE_ELMO: dict[str, Any] = {  # as published with elmo_2x4096_512_2048cnn_2xhighway
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 512,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 4096,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}
ABSENT = object()


def document(path: str, value: object) -> dict[str, Any]:
    """google/elmo's options with one field changed or removed."""
    changed = deepcopy(GOOGLE_ELMO)
    *parents, field = path.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    if value is ABSENT:
        del place[field]
    else:
        place[field] = value
    return changed


def parse(changed: object) -> ModelOptions:
    return parse_options(json.dumps(changed), "the/options.json")


def test_google_elmo() -> None:
    options = parse(GOOGLE_ELMO)
    assert options == ModelOptions(
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)),
        char_dim=16, activation="relu", n_highway=2, max_characters=50, lstm_dim=4096,
        projection_dim=512, n_layers=2, cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
    )  # fmt: skip
    parameters = sum(math.prod(shape) for shape in options.shapes().values())
    assert f"{parameters / 1e6:.1f}" == "93.6"


def test_the_arrays_of_a_small_model() -> None:
    options = ModelOptions(
        filters=((1, 2), (3, 4)), char_dim=5, activation="tanh", n_highway=1, max_characters=9,
        lstm_dim=8, projection_dim=7, n_layers=1, cell_clip=None, proj_clip=None,
        use_skip_connections=False,
    )  # fmt: skip
    cells: dict[str, tuple[int, ...]] = {}
    for direction in (0, 1):
        cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell0/LSTMCell"
        cells |= {f"{cell}/W_0": (14, 32), f"{cell}/B": (32,), f"{cell}/W_P_0": (8, 7)}
    assert options.shapes() == {
        "char_embed": (262, 5),
        "CNN/W_cnn_0": (1, 1, 5, 2),
        "CNN/b_cnn_0": (2,),
        "CNN/W_cnn_1": (1, 3, 5, 4),
        "CNN/b_cnn_1": (4,),
        "CNN_high_0/W_carry": (6, 6),
        "CNN_high_0/b_carry": (6,),
        "CNN_high_0/W_transform": (6, 6),
        "CNN_high_0/b_transform": (6,),
        "CNN_proj/W_proj": (6, 7),
        "CNN_proj/b_proj": (7,),
        **cells,
    }


def test_equal_widths_have_no_projection() -> None:
    changed = document("lstm.projection_dim", 4096)
    assert not [name for name in parse(changed).shapes() if "W_P_0" in name]
    changed["char_cnn"]["filters"] = [[1, 4096]]
    assert not [name for name in parse(changed).shapes() if "proj" in name]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("lstm.n_layers", "n_layers", 1),
        ("lstm.cell_clip", "cell_clip", None),
        ("lstm.proj_clip", "proj_clip", None),
        ("lstm.use_skip_connections", "use_skip_connections", False),
        ("char_cnn.n_highway", "n_highway", 0),
    ],
)
def test_a_field_that_bilm_tf_lets_one_leave_out(path: str, field: str, value: object) -> None:
    assert getattr(parse(document(path, ABSENT)), field) == value
    if value is None:
        assert getattr(parse(document(path, None)), field) is None


@given(
    options=st.builds(
        ModelOptions,
        filters=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1).map(tuple),
        char_dim=st.integers(1, 20),
        activation=st.sampled_from(["relu", "tanh"]),
        n_highway=st.integers(0, 3),
        max_characters=st.integers(5, 50),
        lstm_dim=st.integers(10, 20),
        projection_dim=st.integers(1, 10),
        n_layers=st.integers(1, 4),
        cell_clip=st.none() | st.floats(0.1, 10),
        proj_clip=st.none() | st.floats(0.1, 10),
        use_skip_connections=st.booleans(),
    )
)
def test_written_options_read_back_the_same(options: ModelOptions) -> None:
    assert parse(options.to_json()) == options


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"options"', b"\xff\xfe{}", b"\x89HDF\r\n\x1a\n", "[" * 100_000],
    ids=["empty", "cut", "list", "null", "string", "bytes", "HDF5", "deep"],
)
def test_what_is_not_an_options_document_is_refused(text: str | bytes) -> None:
    with refused("the/options.json"):
        parse_options(text, "the/options.json")


@pytest.mark.parametrize(
    "path",
    [
        "char_cnn",
        "char_cnn.filters",
        "char_cnn.activation",
        "char_cnn.embedding",
        "char_cnn.embedding.dim",
        "char_cnn.max_characters_per_token",
        "lstm",
        "lstm.dim",
        "lstm.projection_dim",
    ],
)
def test_a_missing_field_is_named(path: str) -> None:
    with refused("the/options.json", f"'{path.rpartition('.')[-1]}'"):
        parse(document(path, ABSENT))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("char_cnn.filters", [], "filters"),
        ("char_cnn.filters", [[0, 4]], "filters"),
        ("char_cnn.filters", [[1, -4]], "filters"),
        ("char_cnn.filters", [[1]], ""),
        ("char_cnn.filters", "1,32", ""),
        ("char_cnn.filters", None, ""),
        ("char_cnn.activation", "gelu", "activation must be one of relu, tanh"),
        ("char_cnn.activation", None, "activation"),
        ("char_cnn.embedding", 16, ""),
        ("char_cnn.embedding.dim", 0, "positive"),
        ("char_cnn.n_highway", -1, "n_highway"),
        ("char_cnn.n_highway", False, "False"),
        ("char_cnn.n_highway", "", "''"),
        ("char_cnn.n_highway", 1 << 24, "not be over 1,024"),
        ("char_cnn.filters", [[1, 1]] * 1025, "not be over 1,024"),
        ("char_cnn.filters", [[True, 4]], "True"),
        ("char_cnn.max_characters_per_token", 4097, "not be over 4,096"),
        ("char_cnn.n_highway", 1.5, ""),
        ("char_cnn.max_characters_per_token", 6, "widest filter"),
        ("char_cnn.max_characters_per_token", "fifty", "fifty"),
        ("char_cnn", None, ""),
        ("lstm.dim", "wide", "wide"),
        ("lstm.dim", -4096, ""),
        ("lstm.dim", 511, "projection_dim must not be larger than dim"),
        ("lstm.dim", math.inf, ""),
        ("lstm.projection_dim", 0, "positive"),
        ("lstm.n_layers", 0, "positive"),
        ("lstm.n_layers", 2.5, ""),
        ("lstm.n_layers", True, "True"),
        ("lstm.n_layers", 1 << 24, "not be over 1,024"),
        ("lstm.n_layers", 1024, "parameters"),
        ("lstm.dim", 1 << 24, "parameters"),
        ("lstm.dim", 10**4000, "000...000"),
        ("lstm.proj_clip", 10**400, "000...000"),
        ("lstm.cell_clip", 0, "clips must be positive or null"),
        ("lstm.proj_clip", -3, "clips must be positive or null"),
        ("lstm.proj_clip", [3], ""),
        ("lstm.cell_clip", math.nan, ""),
        ("lstm.use_skip_connections", "false", ""),
        ("lstm.use_skip_connections", 1, ""),
        ("lstm", [], ""),
    ],
)
def test_a_value_that_no_model_has_is_refused(path: str, value: object, problem: str) -> None:
    with refused("the/options.json", problem):
        parse(document(path, value))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize("path", ["lstm.dim", "lstm.cell_clip", "char_cnn.filters"])
def test_a_number_that_only_python_reads_is_refused(path: str, number: str) -> None:
    text = json.dumps(document(path, "the number")).replace('"the number"', number)
    with refused("the/options.json"):
        parse_options(text, "the/options.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
PATHS = [f"{group}.{field}" for group, own in GOOGLE_ELMO.items() for field in own]


@settings(max_examples=50)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_value_of_any_field_is_read_or_refused(path: str, value: object) -> None:
    try:
        options = parse(document(path, value))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert parse(options.to_json()) == options


def test_a_model_ten_times_as_large_as_any_published_is_not_refused() -> None:
    changed = deepcopy(GOOGLE_ELMO)
    changed["lstm"] |= {"dim": 16384, "projection_dim": 1024, "n_layers": 6}
    changed["char_cnn"] |= {"n_highway": 12, "max_characters_per_token": 500}
    parameters = sum(math.prod(shape) for shape in parse(changed).shapes().values())
    assert parameters > 1_000_000_000


def test_max_characters_leaves_room_for_one_byte() -> None:
    changed = document("char_cnn.filters", [[1, 32]])
    changed["char_cnn"]["max_characters_per_token"] = 3
    assert parse(changed).max_characters == 3
    changed["char_cnn"]["max_characters_per_token"] = 2
    with refused("max_characters_per_token"):
        parse(changed)


def test_variants_differ_in_what_a_checkpoint_does_not_show() -> None:
    options = parse(GOOGLE_ELMO)
    variants = options.variants()
    found = {(v.activation, v.use_skip_connections) for v in variants}
    assert found == {(a, s) for a in ("relu", "tanh") for s in (True, False)}
    assert all(v.shapes() == options.shapes() for v in variants)
    assert variants[0] == options, "google/elmo's own variant is tried first"
