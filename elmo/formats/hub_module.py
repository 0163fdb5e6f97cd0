"""TF-Hub ELMo modules (google/elmo/1..3 and others of their format): resolve, read, run.

Their `tokens` signature takes padded tokens and lengths. `default` is computed here from `elmo`,
since modules v1 and v2 averaged it over the padding too. What runs of a module's graph is taken out
and checked in `hub_graph.py`, unless the user trusts the module's maker.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.node_vectors import sentence_means
from elmo_beam.elmo.encoder.passes import Encoded, in_order
from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.checkpoint import Checkpoint
from elmo_beam.elmo.files.regular_files import check_regular
from elmo_beam.elmo.formats.hub_graph import SIGNATURE, TokensSignature, cannot_run, variant_of
from elmo_beam.elmo.formats.model_format import ModelFormat, OwnEncoder
from elmo_beam.elmo.model.options import N_CHARACTERS, ModelOptions, checked_options
from elmo_beam.elmo.model.outputs import (
    SENTENCE_OUTPUT,
    checked_outputs,
    output_dim,
    output_names,
)
from elmo_beam.elmo.model.weights import (
    MIX_SCALING,
    MIX_WEIGHTS,
    Weights,
    check_shapes,
    checked_weights,
    expected_shapes,
)
from elmo_beam.elmo.process import quiet_stderr
from elmo_beam.elmo.sentences import Sentences

BATCH = 64  # sentences at once
TOLERANCE = 1e-4
# The mix of layers: google's names, and those of modules trained by DeepPavlov (bilm-tf's
# `weight_layers`, whose constant beside the weights changes no softmax).
MIX_NAMES = {
    MIX_WEIGHTS: MIX_WEIGHTS,
    MIX_SCALING: MIX_SCALING,
    "aggregation/elmo_output_ELMo_W": MIX_WEIGHTS,
    "aggregation/elmo_output_ELMo_gamma": MIX_SCALING,
}
CHECK_SENTENCES = [
    ["The", "boat", "drifted", "to", "the", "bank", "of", "the", "river", "."],
    ["She", "paid", "1,250", "dollars", "at", "the", "bank", ",", "and", "left", "."],
    ["Naïve", "café", "—", "日本語", "x" * 60],
    ["?"],
]


def _hub() -> Any:
    """tensorflow_hub, without what its import says of pkg_resources."""
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_hub

    return tensorflow_hub


def resolve_module(url: str) -> Path:
    """The local folder of a module's URL, through tensorflow_hub and its cache."""
    try:
        return Path(_hub().resolve(url))
    except Exception as error:  # each transport raises its own; the user needs one line
        raise UserError(
            f"cannot fetch model {url} ({cause_of(error)}): set TFHUB_CACHE_DIR to a cache that "
            "holds it, "
            "or give the folder of a downloaded module"
        ) from None


def read_module(
    folder: Path, options: ModelOptions | None = None, trust_model: bool = False
) -> Weights:
    """Weights from a module's checkpoint.

    options: the one of `ModelOptions.variants()` that the module is; without it, the one whose
    native encoder gives the module's own vectors on a few sentences, for which the module runs;
    trust_model: as for `HubModule`. Raises UserError if the folder is not an ELMo module, or no
    variant agrees within 1e-4.
    """
    weights = read_unchecked(folder, options)
    if options is not None:
        return weights
    candidates = [Weights(variant, weights.arrays) for variant in weights.options.variants()]
    module = HubModule(folder, weights.options, trust_model=trust_model)
    expected = module.encode(CHECK_SENTENCES)
    best, difference = candidates[0], np.inf
    for candidate in candidates:
        got = Encoder(candidate, memory=1 << 20).encode(CHECK_SENTENCES, list(expected))
        worst = max(float(np.abs(got[name] - expected[name]).max()) for name in expected)
        if worst < difference:
            best, difference = candidate, worst
        if difference <= TOLERANCE:
            return best
    raise UserError(
        f"the native encoder differs by {difference:.1g} from module {folder} itself on a few "
        "sentences: use `encoder` module"
    )


def read_unchecked(folder: Path, options: ModelOptions | None = None) -> Weights:
    """Weights from a module's checkpoint; without options, what no array tells is google/elmo's."""
    check_regular(folder / "saved_model.pb")
    checkpoint = Checkpoint(folder / "variables" / "variables")
    keys = {
        _published_name(key): key
        for key in checkpoint.shapes
        if key.startswith("bilm/") or key in MIX_NAMES
    }
    shapes = {name: checkpoint.shapes[key] for name, key in keys.items()}
    if shapes.get(MIX_SCALING) == (1,):  # as DeepPavlov's
        shapes[MIX_SCALING] = ()
    if "char_embed" not in shapes:
        raise UserError(f"module {folder} is not an ELMo: its variables have no bilm/char_embed")
    if options is None:
        options = _options_of(shapes, folder)
    expected = expected_shapes(options)
    mix = {name: expected[name] for name in (MIX_WEIGHTS, MIX_SCALING)}  # a module may have none
    without_padding = (N_CHARACTERS - 1, options.char_dim)
    if shapes["char_embed"] == without_padding:
        expected["char_embed"] = without_padding
    check_shapes(expected, {**mix, **shapes}, str(folder))
    chosen = {name: keys[name] for name in expected if name in keys}
    read = checkpoint.read(chosen.values())
    arrays = {
        name: np.asarray(read[key], np.float32).reshape(shapes[name])
        for name, key in chosen.items()
    }
    if expected["char_embed"] == without_padding:
        arrays["char_embed"] = np.pad(arrays["char_embed"], [(1, 0), (0, 0)])
    return checked_weights(options, arrays, str(folder))


def _published_name(key: str) -> str:
    if key in MIX_NAMES:
        return MIX_NAMES[key]
    name = key.removeprefix("bilm/").replace("/rnn/lstm_cell/", "/LSTMCell/")
    cell_arrays = {"/projection/kernel": "/W_P_0", "/kernel": "/W_0", "/bias": "/B"}
    for theirs, ours in cell_arrays.items():
        if name.endswith("LSTMCell" + theirs):
            return name.removesuffix(theirs) + ours
    return name


def _options_of(shapes: Mapping[str, tuple[int, ...]], folder: Path) -> ModelOptions:
    """The options that arrays of these shapes have; what they do not tell is as in google/elmo."""

    def count(pattern: str) -> int:
        i = 0
        while pattern.format(i) in shapes:
            i += 1
        return i

    try:
        filters = [shapes[f"CNN/W_cnn_{i}"] for i in range(count("CNN/W_cnn_{}"))]
        cell = "RNN_0/RNN/MultiRNNCell/Cell{}/LSTMCell/W_0"
        two_projections, gates = shapes[cell.format(0)]
        n_characters, char_dim = shapes["char_embed"]
        if n_characters not in (N_CHARACTERS - 1, N_CHARACTERS) or not filters:
            raise ValueError("not the character CNN of ELMo")
        options = ModelOptions(
            filters=tuple((shape[1], shape[3]) for shape in filters),
            char_dim=char_dim,
            activation="relu",
            n_highway=count("CNN_high_{}/W_carry"),
            max_characters=50,
            lstm_dim=gates // 4,
            projection_dim=two_projections // 2,
            n_layers=count(cell),
            cell_clip=3.0,
            proj_clip=3.0,
            use_skip_connections=True,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"module {folder} is not an ELMo: {error} in its variables") from None
    return checked_options(options, f"module {folder} is not an ELMo")


class HubModule:
    """A module run through its own `tokens` signature, in plain padded batches: for checking."""

    def __init__(
        self,
        folder: Path,
        options: ModelOptions,
        memory: int = DEFAULT_MEMORY,
        trust_model: bool = False,
    ) -> None:
        """trust_model: let TensorFlow's loader run all of the module's graph, whatever it does.

        Without it, the signature's ops must be harmless. Raises UserError if there is no such
        signature, or an op that is not.
        """
        self.options = options
        self._folder, self._memory = folder, memory
        self._tokens = _trusted(folder) if trust_model else TokensSignature(folder)

    def encode(self, sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """Every token output of the module for lists of tokens, float32 [tokens, dim]."""
        names = [name for name in output_names(self.options) if name != SENTENCE_OUTPUT]
        flat = Sentences.from_lists(sentences)
        return in_order(self.passes(flat, names), flat)

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """As `Encoder.passes`; a pass is up to 64 sentences that fit into memory when padded."""
        names = checked_outputs(self.options, outputs)
        # The signature computes all of its outputs, and the layers below them are as wide.
        layers = 2 * (self.options.n_layers + 2)
        token_bytes = 4 * (layers * 2 * self.options.projection_dim + 4 * self.options.lstm_dim)
        lengths = sentences.lengths
        start = 0
        while True:
            stop = min(start + 1, len(sentences))
            longest = int(lengths[start]) if len(lengths) else 0
            while stop < min(start + BATCH, len(sentences)):
                longest = max(longest, int(lengths[stop]))
                if longest * (stop + 1 - start) * token_bytes > self._memory:
                    break
                stop += 1
            rows = np.arange(start, stop)
            yield self._encode(sentences.take(rows), rows, names)
            start = stop
            if start >= len(sentences):
                return

    def _encode(self, sentences: Sentences, rows: np.ndarray, names: list[str]) -> Encoded:
        real = [tokens for tokens in sentences.to_lists() if tokens]
        longest = max(map(len, real), default=1)
        padded = [row + [""] * (longest - len(row)) for row in real] or [[""]]
        lengths = [len(row) for row in real] or [1]
        given = tf.constant([[t.encode("utf-8", "ignore") for t in row] for row in padded])
        try:
            result = self._tokens(tokens=given, sequence_len=tf.constant(lengths, tf.int32))
        except tf.errors.OpError as error:
            raise cannot_run(self._folder, error) from None
        mask = np.arange(longest) < np.array(lengths)[:, np.newaxis]
        if not real:
            mask[:] = False
        vectors = {}
        for name in names:
            source = "elmo" if name == SENTENCE_OUTPUT else name
            vectors[name] = self._output(result, source, mask.shape)[mask]
            if name == SENTENCE_OUTPUT:
                vectors[name] = sentence_means(vectors[name], sentences.offsets)
        steps = 2 * len(sentences.ids)
        padded_steps = 2 * longest * len(real)
        return Encoded(rows, vectors, steps, padded_steps, 0, 0)

    def _output(
        self, result: Mapping[str, tf.Tensor], name: str, shape: tuple[int, ...]
    ) -> np.ndarray:
        """float32 [batch, length, dim]."""
        expected = (*shape, output_dim(self.options, name))
        if name not in result or result[name].dtype != tf.float32:
            raise cannot_run(self._folder, ValueError(f"it gives no float32 {name}"))
        if result[name].shape != expected:
            found = f"{name} has shape {list(result[name].shape)}, not {list(expected)}"
            raise cannot_run(self._folder, ValueError(found))
        array: np.ndarray = result[name].numpy()
        return array


def _trusted(folder: Path) -> Callable[..., Mapping[str, tf.Tensor]]:
    """The signature as TensorFlow's own loader gives it, which runs the whole module."""
    try:
        with quiet_stderr():
            module = _hub().load(str(folder), tags=list(variant_of(folder).meta_info_def.tags))
        module.signatures[SIGNATURE]
    except Exception as error:  # the loader raises anything; the user needs one line
        raise cannot_run(folder, error) from None
    # Not the signature itself, which does not keep its module's variables.
    return lambda **inputs: module.signatures[SIGNATURE](**inputs)


FORMAT = ModelFormat("TF-Hub module", read_module, OwnEncoder(read_unchecked, HubModule))
