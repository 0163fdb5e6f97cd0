"""Model handles: `default`, a folder of any known format, or the URL of a TF-Hub module."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from elmo_beam.elmo.arguments import check_bool, check_count, path_text
from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.precision import check_precision
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.model.options import ModelOptions

if TYPE_CHECKING:  # they import NumPy and TensorFlow, which --help must not wait for
    from elmo_beam.elmo.encoder.encoder import Encoder
    from elmo_beam.elmo.encoder.passes import SentenceEncoder
    from elmo_beam.elmo.formats.model_format import ModelFormat, OwnEncoder
    from elmo_beam.elmo.model.weights import Weights

StrPath = str | os.PathLike[str]
DEFAULT_MODEL = "default"
DEFAULT_FOLDER = Path(__file__).parents[1] / "default"
ALLENNLP = "allennlp"
ENCODERS = ("native", "module", ALLENNLP)
# Each format by a file that marks its folders. The first mark that a folder has counts, so a format
# whose folders hold another's mark too comes before that one. The module defines FORMAT, and is
# imported only when a folder has the file.
MODEL_FORMATS = {
    "saved_model.pb": "elmo_beam.elmo.formats.hub_module",
    "token_embedder.pkl": "elmo_beam.elmo.formats.many_langs",
    "options.json": "elmo_beam.elmo.formats.bilm_hdf5",
}


def model_folder(handle: StrPath) -> Path:
    """The local folder of a handle; UserError if there is none."""
    handle = path_text("model", handle)
    if handle == DEFAULT_MODEL:
        return DEFAULT_FOLDER
    if "://" in handle:
        from elmo_beam.elmo.formats.hub_module import resolve_module

        return resolve_module(handle)
    folder = Path(handle)
    if not folder.is_dir():
        raise UserError(
            f"no model folder {handle}: give a folder, the URL of a TF-Hub module, or 'default'"
        )
    return folder


def read_weights(
    handle: StrPath,
    encoder: str = "native",
    options: ModelOptions | None = None,
    trust_model: bool = False,
) -> Weights:
    """The weights of a handle's model.

    encoder: "module" leaves out the comparison of a module with the native encoder. options: a
    module's, if they are known already. trust_model: let a module's graph run whatever its ops do.
    Raises UserError.
    """
    folder = model_folder(handle)
    if encoder == "module":
        return _own_encoder(handle, folder).read(folder)
    return _format_of(folder).read(folder, options, trust_model)


def load_encoder(
    handle: StrPath = DEFAULT_MODEL,
    *,
    memory: int = DEFAULT_MEMORY,
    precision: str = "float32",
    trust_model: bool = False,
) -> Encoder:
    """The native encoder for a model: lists of tokens in, vectors out.

    handle: `default`, a folder, or the URL of a TF-Hub module. memory: bytes that the vectors of
    one pass through the model may take. precision: "float32" or "bfloat16". trust_model: let a
    module's graph run whatever its ops do. Raises UserError if the model cannot be read or this
    processor lacks the precision.
    """
    from elmo_beam.elmo.encoder.encoder import Encoder

    check_count("memory", memory)
    check_precision(precision)
    check_bool("trust_model", trust_model)
    return Encoder(read_weights(handle, trust_model=trust_model), memory, precision)


def load_sentence_encoder(
    handle: str,
    encoder: str,
    memory: int,
    options: ModelOptions | None = None,
    digest: str | None = None,
    precision: str = "float32",
    trust_model: bool = False,
) -> SentenceEncoder:
    """The encoder of a handle's model, ready to run. trust_model: as for `load_encoder`.

    encoder: one of `ENCODERS`; "allennlp" is the native one, to which tokens <S> and </S> are the
    boundaries of a sentence. Raises UserError if the weights' digest is not `digest`, or this
    processor lacks `precision`.
    """
    check_precision(precision)
    weights = read_weights(handle, encoder, options, trust_model)
    if digest is not None and weights.digest != digest:
        raise UserError(
            f"model {handle} is not the same here ({weights.digest[:12]}) as where the command "
            f"runs ({digest[:12]}): put the same model on every worker"
        )
    if encoder == "module":
        folder = model_folder(handle)
        return _own_encoder(handle, folder).load(folder, weights.options, memory, trust_model)
    from elmo_beam.elmo.encoder.encoder import Encoder

    return Encoder(weights, memory, precision, boundary_tokens=encoder == ALLENNLP)


def _format_of(folder: Path) -> ModelFormat:
    for file, module in MODEL_FORMATS.items():
        if (folder / file).exists():
            found: ModelFormat = import_module(module).FORMAT
            return found
    expected = " or ".join(MODEL_FORMATS)
    raise UserError(f"no model in folder {folder}: it holds no {expected}")


def _own_encoder(handle: StrPath, folder: Path) -> OwnEncoder:
    own = _format_of(folder).own_encoder
    if own is None:
        raise ArgumentError(f"`encoder` module needs a TF-Hub module, and {handle} is not one")
    return own
