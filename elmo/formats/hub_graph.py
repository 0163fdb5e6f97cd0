"""The `tokens` signature of a TF-Hub module, taken out of its graph and checked before it runs.

A SavedModel's graph runs with the rights of whoever loads it, and some kinds of op read and write
files. So only the nodes that compute the signature's outputs are taken, and they and those in the
functions that they call must all be of harmless kinds. Variables are fed from the checkpoint: the
graphs of the saver and of the initializers are never loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.checkpoint import Checkpoint
from elmo_beam.elmo.files.regular_files import read_regular
from elmo_beam.elmo.formats.hub_ops import HARMLESS
from elmo_beam.elmo.model.options import MAX_PARAMETERS

MOST_BYTES = 1 << 28  # of a saved_model.pb
SIGNATURE = "tokens"
INPUTS = ("tokens", "sequence_len")
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
HANDLES = (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum)
SCHEDULING = ("config", "config_proto", "executor_type")  # of a call: how, not what, it computes

Message = Any  # of a class that protobuf makes


class TokensSignature:
    """Callable with tokens, string [batch, length], and lengths, int32 [batch]."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError if there is no such signature, or an op that is not harmless."""
        try:
            signature, whole = _signature_and_graph(folder)
            inputs = [signature.inputs[name].name for name in INPUTS]
            outputs = {name: info.name for name, info in signature.outputs.items()}
            graph, variables = _taken_out(whole, inputs, outputs.values())
        except (DecodeError, ValueError) as error:
            raise cannot_run(folder, error) from None
        _check_ops(graph, folder)
        # Kept here, since a function that captures variables does not keep them.
        self._variables = _values(variables, folder)

        def call(*given: tf.Tensor) -> dict[str, tf.Tensor]:
            fed = dict(zip(inputs, given, strict=True))
            for name, value in self._variables.items():
                fed[f"{name}:0"] = tf.identity(getattr(value, "handle", value))
            used = {_node_of(name) for node in graph.node for name in node.input}
            found = tf.graph_util.import_graph_def(
                graph,
                input_map={name: fed[name] for name in fed if _node_of(name) in used},
                return_elements=list(outputs.values()),
                name="",
            )
            return dict(zip(outputs, found, strict=True))

        specs = [tf.TensorSpec([None, None], tf.string), tf.TensorSpec([None], tf.int32)]
        try:
            self._function = tf.compat.v1.wrap_function(call, specs)
        except Exception as error:  # of a graph that does not fit together it raises anything
            raise cannot_run(folder, error) from None

    def __call__(self, tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature's outputs by name."""
        found: dict[str, tf.Tensor] = self._function(tokens, sequence_len)
        return found


def cannot_run(folder: Path, error: BaseException) -> UserError:
    """What to raise when a module's graph is not one of an ELMo."""
    return UserError(
        f"cannot run {folder} as a TF-Hub ELMo module ({cause_of(error)}): it must have the "
        f"signature `{SIGNATURE}` of google/elmo"
    )


def variant_of(folder: Path) -> Message:
    """The MetaGraphDef that is run: the one without tags, as in Hub's first format, or `serve`.

    Raises ValueError, or DecodeError, if there is none.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString(read_regular(folder / "saved_model.pb", MOST_BYTES))
    variants = {frozenset(graph.meta_info_def.tags): graph for graph in saved.meta_graphs}
    for tags in ([], ["serve"]):
        if frozenset(tags) in variants:
            return variants[frozenset(tags)]
    raise ValueError("it has no graph without tags, nor one for `serve`")


def _signature_and_graph(folder: Path) -> tuple[Message, Message]:
    """SignatureDef and GraphDef."""
    variant = variant_of(folder)
    if SIGNATURE not in variant.signature_def:
        others = ", ".join(sorted(variant.signature_def)) or "none"
        raise ValueError(f"its signatures: {others}")
    signature = variant.signature_def[SIGNATURE]
    if signature.inputs.keys() != set(INPUTS):
        raise ValueError(f"the signature's inputs are not {' and '.join(INPUTS)}")
    return signature, variant.graph_def


def _taken_out(
    graph: Message, inputs: Iterable[str], outputs: Iterable[str]
) -> tuple[Message, dict[str, Message]]:
    """The part of a GraphDef that computes `outputs` from `inputs` and variables, and the latter.

    Inputs and variables themselves are not in it. ValueError if the graph has gaps.
    """
    nodes = {node.name: node for node in graph.node}
    fed = {_node_of(name) for name in inputs}
    taken: list[Message] = []
    variables: dict[str, Message] = {}
    seen = set(fed)
    waiting = [_node_of(name) for name in outputs]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in nodes:
            raise ValueError(f"its graph has no node {name!r}")
        if nodes[name].op in VARIABLES:
            variables[name] = nodes[name]
        else:
            taken.append(nodes[name])
            waiting += [_node_of(name) for name in nodes[name].input]
    fed |= variables.keys()
    part = tf.compat.v1.GraphDef(versions=graph.versions)
    part.node.extend(_plain(node, fed) for node in taken)
    for function in _called(taken, {f.signature.name: f for f in graph.library.function}):
        own = part.library.function.add(signature=function.signature)
        own.ret.update(function.ret)
        own.control_ret.update(function.control_ret)
        own.node_def.extend(_plain(node, ()) for node in function.node_def)
    return part, variables


def _node_of(tensor: str) -> str:
    """The node of a tensor NAME:0 or of a control input ^NAME."""
    return tensor.removeprefix("^").partition(":")[0]


def _plain(node: Message, fed: Iterable[str]) -> Message:
    """A node with what it computes, and without where and how: devices, compilers, executors."""
    plain = tf.compat.v1.NodeDef(name=node.name, op=node.op)
    plain.input.extend(i for i in node.input if not i.startswith("^") or i[1:] not in fed)
    for name, value in node.attr.items():
        if not name.startswith("_") and name not in SCHEDULING:
            plain.attr[name].CopyFrom(value)
    return plain


def _called(nodes: Iterable[Message], functions: dict[str, Message]) -> list[Message]:
    """The functions that nodes call, and those that these call in turn."""
    called: dict[str, Message] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        names = set(_function_names(node.attr)) | ({node.op} & functions.keys())
        for name in names - called.keys():
            if name not in functions:
                raise ValueError(f"its graph has no function {name!r}")
            called[name] = functions[name]
            waiting += functions[name].node_def
    return list(called.values())


def _function_names(attributes: Message) -> Iterator[str]:
    for value in attributes.values():
        for function in [value.func] if value.HasField("func") else value.list.func:
            yield function.name
            yield from _function_names(function.attr)


def _check_ops(graph: Message, folder: Path) -> None:
    """UserError, naming it, for an op that may do more than compute."""
    own = {function.signature.name for function in graph.library.function}
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    for node in (node for body in bodies for node in body):
        # A constant may also be a handle, of a resource that is not the graph's own.
        handles = any(value.tensor.dtype in HANDLES for value in node.attr.values())
        if handles or (node.op not in HARMLESS and node.op not in own):
            raise UserError(
                f"module {folder} wants to run the op {node.op!r} (node {node.name!r}), which may "
                "reach more than the module: pass `trust_model` if you trust whoever made it"
            )


def _values(variables: dict[str, Message], folder: Path) -> dict[str, tf.Tensor | tf.Variable]:
    """The variables' values from the checkpoint, as their nodes would give them."""
    checkpoint = Checkpoint(folder / "variables" / "variables")
    for name, node in variables.items():
        shape = tf.TensorShape(node.attr["shape"].shape)
        if name not in checkpoint.shapes or not shape.is_compatible_with(checkpoint.shapes[name]):
            raise cannot_run(folder, ValueError(f"no variable {name!r} of shape {shape}"))
    parameters = sum(math.prod(checkpoint.shapes[name]) for name in variables)
    if parameters > MAX_PARAMETERS:
        raise cannot_run(folder, ValueError(f"it has {parameters:,} parameters"))
    return {
        name: tf.Variable(value) if variables[name].op == "VarHandleOp" else tf.constant(value)
        for name, value in checkpoint.read(variables).items()
    }
