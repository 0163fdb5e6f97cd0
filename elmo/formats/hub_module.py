"""TF-Hub ELMo modules (google/elmo/1..3 and others of their format): resolve, read, run.

Their `tokens` signature takes padded tokens and lengths. `default` is computed here from `elmo`,
since modules v1 and v2 averaged it over the padding too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.node_vectors import sentence_means
from elmo_beam.elmo.encoder.passes import Encoded, in_order
from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.formats.model_format import ModelFormat, OwnEncoder
from elmo_beam.elmo.model.options import N_CHARACTERS, ModelOptions
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, checked_outputs, output_names
from elmo_beam.elmo.model.weights import MIX_SCALING, MIX_WEIGHTS, Weights, checked_weights
from elmo_beam.elmo.process import quiet_stderr
from elmo_beam.elmo.sentences import Sentences

BATCH = 64  # sentences at once
TOLERANCE = 1e-4
CHECK_SENTENCES = [
    ["The", "boat", "drifted", "to", "the", "bank", "of", "the", "river", "."],
    ["She", "paid", "1,250", "dollars", "at", "the", "bank", ",", "and", "left", "."],
    ["Naïve", "café", "—", "日本語", "x" * 60],
    ["?"],
]


def resolve_module(url: str) -> Path:
    """The local folder of a module's URL, through tensorflow_hub and its cache."""
    with quiet_stderr():
        import tensorflow_hub

    try:
        return Path(tensorflow_hub.resolve(url))
    except Exception as error:  # each transport raises its own; the user needs one line
        raise UserError(
            f"cannot fetch model {url} ({cause_of(error)}): set TFHUB_CACHE_DIR to a cache that "
            "holds it, "
            "or give the folder of a downloaded module"
        ) from None


def read_module(folder: Path, options: ModelOptions | None = None) -> Weights:
    """Weights from a module's checkpoint.

    options: the one of `ModelOptions.variants()` that the module is; without it, the one whose
    native encoder gives the module's own vectors on a few sentences. Raises UserError if the folder
    is not an ELMo module, or no variant agrees within 1e-4.
    """
    arrays = _read_checkpoint(folder)
    if options is not None:
        return checked_weights(options, arrays, str(folder))
    weights = checked_weights(_options_of(arrays, folder), arrays, str(folder))
    candidates = [Weights(variant, weights.arrays) for variant in weights.options.variants()]
    module = HubModule(folder, weights.options)
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


def read_unchecked(folder: Path) -> Weights:
    """Weights for the digest of a module that runs itself; what no array tells is google/elmo's."""
    arrays = _read_checkpoint(folder)
    return checked_weights(_options_of(arrays, folder), arrays, str(folder))


def _read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """The checkpoint's arrays, by their names in the published layout."""
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        keys = reader.get_variable_to_shape_map()
        arrays = {
            _published_name(key): np.asarray(reader.get_tensor(key), np.float32)
            for key in keys
            if key.startswith("bilm/") or key in (MIX_WEIGHTS, MIX_SCALING)
        }
    except Exception as error:  # of a cut file the reader raises anything
        raise UserError(
            f"cannot read the variables of module {folder} ({cause_of(error)}): fetch the module "
            "again"
        ) from None
    if "char_embed" not in arrays:
        raise UserError(f"module {folder} is not an ELMo: its variables have no bilm/char_embed")
    return arrays


def _published_name(key: str) -> str:
    name = key.removeprefix("bilm/").replace("/rnn/lstm_cell/", "/LSTMCell/")
    cell_arrays = {"/projection/kernel": "/W_P_0", "/kernel": "/W_0", "/bias": "/B"}
    for theirs, ours in cell_arrays.items():
        if name.endswith("LSTMCell" + theirs):
            return name.removesuffix(theirs) + ours
    return name


def _options_of(arrays: dict[str, np.ndarray], folder: Path) -> ModelOptions:
    """The shape that the arrays have; what they do not tell is as in google/elmo."""

    def count(pattern: str) -> int:
        i = 0
        while pattern.format(i) in arrays:
            i += 1
        return i

    try:
        filters = [arrays[f"CNN/W_cnn_{i}"].shape for i in range(count("CNN/W_cnn_{}"))]
        cell = "RNN_0/RNN/MultiRNNCell/Cell{}/LSTMCell/W_0"
        two_projections, gates = arrays[cell.format(0)].shape
        if arrays["char_embed"].shape[0] != N_CHARACTERS or not filters:
            raise ValueError("not the character CNN of ELMo")
        return ModelOptions(
            filters=tuple((shape[1], shape[3]) for shape in filters),
            char_dim=arrays["char_embed"].shape[1],
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


class HubModule:
    """A module run through its own `tokens` signature, in plain padded batches: for checking."""

    def __init__(self, folder: Path, options: ModelOptions, memory: int = DEFAULT_MEMORY) -> None:
        self.options = options
        self._memory = memory
        with quiet_stderr():
            import tensorflow_hub
        try:
            with quiet_stderr():
                self._module = tensorflow_hub.load(str(folder), tags=[])
            self._tokens = self._module.signatures["tokens"]
        except Exception as error:  # the loader raises anything; the user needs one line
            raise UserError(
                f"cannot run {folder} as a TF-Hub ELMo module ({cause_of(error)}): it must have "
                "the signature `tokens` of google/elmo"
            ) from None

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
        result = self._tokens(
            tokens=tf.constant([[t.encode("utf-8", "ignore") for t in row] for row in padded]),
            sequence_len=tf.constant(lengths, tf.int32),
        )
        mask = np.arange(longest) < np.array(lengths)[:, np.newaxis]
        if not real:
            mask[:] = False
        vectors = {}
        for name in names:
            source = "elmo" if name == SENTENCE_OUTPUT else name
            vectors[name] = result[source].numpy()[mask]
            if name == SENTENCE_OUTPUT:
                vectors[name] = sentence_means(vectors[name], sentences.offsets)
        steps = 2 * len(sentences.ids)
        padded_steps = 2 * longest * len(real)
        return Encoded(rows, vectors, steps, padded_steps, 0, 0)


FORMAT = ModelFormat(read=read_module, own_encoder=OwnEncoder(read_unchecked, HubModule))
