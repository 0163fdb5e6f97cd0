"""A module's graph computes, and does nothing else, unless the user trusts whoever made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from elmo_beam.elmo.formats.handles import load_sentence_encoder
from elmo_beam.elmo.formats.hub_module import HubModule, read_module
from elmo_beam.elmo.formats.hub_ops import HARMLESS
from elmo_beam.elmo.model.options import ModelOptions
from tests.helpers.hub_modules import copy_module, make_tf1_module
from tests.helpers.oracle import Oracle, assert_close, random_weights
from tests.helpers.planted_ops import (
    as_the_saver,
    change,
    meta_graph,
    place_of_loot,
    plant,
    steal,
    with_the_outputs,
)
from tests.helpers.refusal import refused

raw = tf.raw_ops
OPTIONS = ModelOptions(
    filters=((1, 4), (3, 6)), char_dim=4, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=8, projection_dim=5, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip
WEIGHTS = random_weights(OPTIONS)
TEXT = [["The", "bird", "sang", "."], ["x" * 60, "é", ""]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module as TensorFlow 1 wrote it."""
    return make_tf1_module(WEIGHTS, tmp_path_factory.mktemp("made") / "module")


@pytest.fixture
def module(made: Path, tmp_path: Path) -> Path:
    """The same, for the test to spoil."""
    return copy_module(made, tmp_path / "module")


@pytest.fixture
def stolen(tmp_path: Path) -> Path:
    return place_of_loot(tmp_path)


def in_a_function(stolen: Path) -> Any:
    return tf.function(lambda: [steal(stolen), tf.constant(1)][1], autograph=False)()


def in_a_loop_in_a_function(stolen: Path) -> Any:
    def body(i: tf.Tensor) -> tuple[tf.Tensor]:
        with tf.control_dependencies([steal(stolen)]):
            return (i + 1,)

    def loop() -> tf.Tensor:
        return tf.while_loop(lambda i: i < 1, body, [tf.constant(0)])[0]

    return tf.function(loop, autograph=False)()


def in_a_branch(stolen: Path) -> Any:
    def taken() -> tf.Tensor:
        with tf.control_dependencies([steal(stolen)]):
            return tf.constant(1)

    return tf.cond(tf.constant(True), taken, lambda: tf.constant(0))


def test_a_module_of_tensorflow_1_is_what_its_variables_say(made: Path) -> None:
    ops = {node.op for node in meta_graph(made).graph_def.node}
    assert ops > {"VariableV2", "Enter", "Exit", "TensorArrayV3", "TensorArrayWriteV3", "Assign"}
    assert read_module(made).digest == WEIGHTS.digest
    want = Oracle(WEIGHTS).encode_all(TEXT)
    for name, vectors in HubModule(made, OPTIONS).encode(TEXT).items():
        assert_close(vectors, want[name], 1e-5)


@pytest.mark.parametrize("name", ["hub_module", "hub_module_tf1"])
def test_the_reference_modules_need_no_trust(reference: Path, bilm_tf: Path, name: str) -> None:
    assert read_module(reference / name).digest == read_bilm(bilm_tf).digest


@pytest.mark.parametrize("where", [steal, in_a_function, in_a_loop_in_a_function, in_a_branch])
def test_an_op_that_touches_files_is_refused_by_name_wherever_it_is(
    module: Path, stolen: Path, where: Callable[[Path], Any]
) -> None:
    plant(module, lambda: where(stolen), with_the_outputs)
    for encoder in ("native", "module"):
        with refused(module, "File'", "`trust_model`"):
            load_sentence_encoder(str(module), encoder, 1 << 20)
    assert not stolen.exists()
    HubModule(module, OPTIONS, trust_model=True).encode(TEXT)
    assert stolen.read_text() == "secret", "this is no attack, so the test shows nothing"


def as_an_initializer(meta: Any, name: str) -> None:
    meta.collection_def["saved_model_main_op"].node_list.value.append(name)


def as_a_newer_initializer(meta: Any, name: str) -> None:
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = name


def as_a_variables_initial_value(meta: Any, name: str) -> None:
    for node in meta.graph_def.node:
        if node.op == "Assign":
            node.input.append(f"^{name}")


@pytest.mark.parametrize(
    "run",
    [as_the_saver, as_an_initializer, as_a_newer_initializer, as_a_variables_initial_value],
)
def test_what_does_not_compute_the_outputs_is_not_run(
    module: Path, stolen: Path, run: Callable[[Any, str], None]
) -> None:
    plant(module, lambda: steal(stolen), run)
    HubModule(module, OPTIONS).encode(TEXT)
    assert not stolen.exists()
    HubModule(module, OPTIONS, trust_model=True)
    assert stolen.exists() or run is as_a_variables_initial_value  # it runs nowhere


OTHERS: dict[str, Callable[[], Any]] = {
    "PrintV2": lambda: raw.PrintV2(input="x", output_stream="file:///dev/null"),
    "MatchingFiles": lambda: raw.MatchingFiles(pattern="/*"),
    "RestoreV2": lambda: raw.RestoreV2(
        prefix="/x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    ),
    "SaveV2": lambda: raw.SaveV2(
        prefix="/x", tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]
    ),
    "EagerPyFunc": lambda: tf.py_function(lambda: 1, [], tf.int64),
    "PyFunc": lambda: tf.numpy_function(lambda: 1, [], tf.int64),
    "TextLineDataset": lambda: raw.TextLineDataset(
        filenames="/x", compression_type="", buffer_size=1
    ),
    "HashTableV2": lambda: raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64),
    "Placeholder": lambda: raw.Placeholder(dtype=tf.float32),
}


@pytest.mark.parametrize("op", OTHERS)
def test_an_op_that_is_not_known_to_be_harmless_is_refused(module: Path, op: str) -> None:
    plant(module, OTHERS[op], with_the_outputs)
    with refused(module, f"'{op}'", "`trust_model`"):
        HubModule(module, OPTIONS)


def test_every_harmless_op_is_one_of_tensorflows() -> None:
    assert [op for op in sorted(HARMLESS) if not hasattr(raw, op)] == []


def test_a_handle_of_something_outside_the_graph_is_refused(module: Path) -> None:
    def handle(meta: Any, name: str) -> None:
        constant = next(n for n in meta.graph_def.node if n.op == "Const" and "planted" in n.name)
        constant.attr["dtype"].type = tf.resource.as_datatype_enum
        constant.attr["value"].tensor.dtype = tf.resource.as_datatype_enum
        with_the_outputs(meta, name)

    plant(module, lambda: tf.constant(1.0), handle)
    with refused(module, "'Const'", "`trust_model`"):
        HubModule(module, OPTIONS)


def test_a_call_of_what_is_no_function_of_the_graph_is_refused(module: Path) -> None:
    def call(meta: Any, name: str) -> None:
        node = next(n for n in meta.graph_def.node if n.op == "PartitionedCall")
        node.attr["f"].func.name = "ReadFile"
        with_the_outputs(meta, name)

    plant(module, lambda: tf.function(lambda: tf.constant(1))(), call)
    with refused(module, "no function 'ReadFile'"):
        HubModule(module, OPTIONS)


def no_signature(meta: Any) -> None:
    del meta.signature_def["tokens"]


def another_input(meta: Any) -> None:
    meta.signature_def["tokens"].inputs["more"].name = "Placeholder:0"


def another_node(meta: Any) -> None:
    meta.signature_def["tokens"].outputs["elmo"].name = "nowhere:0"


def no_such_output(meta: Any) -> None:
    meta.signature_def["tokens"].outputs["elmo"].name += "7"


def no_elmo(meta: Any) -> None:
    del meta.signature_def["tokens"].outputs["elmo"]


def another_shape(meta: Any) -> None:
    outputs = meta.signature_def["tokens"].outputs
    outputs["elmo"].CopyFrom(outputs["word_emb"])


def another_variable(meta: Any) -> None:
    node = next(n for n in meta.graph_def.node if n.name == "bilm/char_embed")
    node.attr["shape"].shape.dim[0].size += 1


def tags(meta: Any) -> None:
    meta.meta_info_def.tags.append("train")


def no_nodes(meta: Any) -> None:
    del meta.graph_def.node[:]


def wrong_arithmetic(meta: Any) -> None:
    node = next(n for n in meta.graph_def.node if n.op == "MatMul")
    node.attr["transpose_a"].b = True


@pytest.mark.parametrize("trust_model", [False, True])
def test_a_graph_for_serving_is_read_too(module: Path, trust_model: bool) -> None:
    change(module, lambda meta: meta.meta_info_def.tags.append("serve"))
    assert read_module(module, trust_model=trust_model).digest == WEIGHTS.digest


@pytest.mark.parametrize(
    "alter",
    [
        no_signature,
        another_input,
        another_node,
        no_such_output,
        no_elmo,
        another_shape,
        another_variable,
        tags,
        no_nodes,
        wrong_arithmetic,
    ],
)
def test_a_graph_that_is_no_elmos_is_refused(module: Path, alter: Callable[[Any], None]) -> None:
    change(module, alter)
    with refused("cannot run", module):
        read_module(module)
