"""Model handles: `default`, a folder, an archive, weights, or the URL of any of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from elmo_beam.elmo.arguments import check_bool, check_count, path_text
from elmo_beam.elmo.encoder import DEFAULT_MEMORY
from elmo_beam.elmo.encoder.precision import check_precision
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.files.archives import ARCHIVES, is_archive, unpacked
from elmo_beam.elmo.formats.registry import WEIGHTS, format_of, models_below
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.wording import listed

if TYPE_CHECKING:  # they import NumPy and TensorFlow, which --help must not wait for
    from elmo_beam.elmo.encoder.encoder import Encoder
    from elmo_beam.elmo.encoder.passes import SentenceEncoder
    from elmo_beam.elmo.formats.model_format import OwnEncoder
    from elmo_beam.elmo.model.weights import Weights

StrPath = str | os.PathLike[str]
DEFAULT_MODEL = "default"
DEFAULT_FOLDER = Path(__file__).parents[1] / "default"
ALLENNLP = "allennlp"
ENCODERS = ("native", "module", ALLENNLP)


def model_place(handle: StrPath) -> Path:
    """The local folder, or file of weights, of a handle; UserError if there is none.

    What a handle names elsewhere is fetched, and an archive unpacked, into the cache.
    """
    handle = path_text("model", handle)
    if handle == DEFAULT_MODEL:
        return DEFAULT_FOLDER
    if "://" in handle:
        return _fetched(handle)
    place = Path(handle)
    if place.is_dir() or (place.suffix.lower() in WEIGHTS and place.exists()):
        return place
    if is_archive(place.name) and place.exists():
        return _model_in(place)
    if place.exists():
        raise UserError(
            f"model {handle} is neither a folder nor an archive ({', '.join(ARCHIVES)}) nor "
            f"weights ({', '.join(WEIGHTS)}): give the folder that it is in"
        )
    raise UserError(
        f"no model {handle}: give a folder, an archive, weights, a URL, or {DEFAULT_MODEL!r}"
    )


def model_folder(handle: StrPath) -> Path:
    """The folder of a handle's model, in which its vocabulary is; UserError if there is none."""
    place = model_place(handle)
    return place if place.is_dir() else place.parent


def _fetched(url: str) -> Path:
    scheme, _, path = url.partition("://")
    if scheme.lower() not in ("http", "https"):
        raise UserError(
            f"cannot fetch model {url} here: only commands and Beam pipelines read from {scheme}://"
        )
    name = path.partition("#")[0].partition("?")[0].rpartition("/")[2]
    if (is_archive(name) or name.lower().endswith(WEIGHTS)) and not _in_hub_cache(url):
        from elmo_beam.elmo.files.download import fetched, fetched_weights

        if not is_archive(name):
            return fetched_weights(url)
        archive = fetched(url)
        try:
            return _model_in(archive)
        except UserError as error:
            archive.unlink(missing_ok=True)  # what is there the next time may be better
            raise UserError(f"{url} gives no model: {error}") from None
    from elmo_beam.elmo.formats.hub_module import resolve_module

    return resolve_module(url)


def _model_in(archive: Path) -> Path:
    """The folder of the one model in an archive; UserError if there is none, or several."""
    folder = unpacked(archive)
    models = models_below(folder)
    if len(models) == 1:
        return models[0]
    if not models:
        raise UserError(f"archive {archive} holds no ELMo that elmo-beam knows: check what it is")
    names = [str(model.relative_to(folder)) for model in models]
    raise UserError(
        f"archive {archive} holds several models ({listed(names)}): name one of them, as "
        f"`--model {models[0]}`"
    )


def _in_hub_cache(url: str) -> bool:
    """Whether tensorflow_hub has a module of this URL, kept under its sha1."""
    default = os.path.join(tempfile.gettempdir(), "tfhub_modules")
    folder = os.environ.get("TFHUB_CACHE_DIR") or default
    return os.path.isdir(os.path.join(folder, hashlib.sha1(url.encode()).hexdigest()))


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
    place = model_place(handle)
    if encoder == "module":
        return _own_encoder(handle, place).read(place)
    return format_of(place).read(place, options, trust_model)


def load_encoder(
    handle: StrPath = DEFAULT_MODEL,
    *,
    memory: int = DEFAULT_MEMORY,
    precision: str = "float32",
    trust_model: bool = False,
) -> Encoder:
    """The native encoder for a model: lists of tokens in, vectors out.

    Args:
        handle: `default`, the model that ships inside; or a folder, an archive, a file of weights,
            or the URL of one.
        memory: bytes that the vectors of one pass through the model may take, by default 1 GiB.
        precision: "float32" or "bfloat16".
        trust_model: let a module's graph run whatever its ops do.

    Raises:
        UserError: if the model cannot be read, or this processor lacks the precision.
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
        place = model_place(handle)
        return _own_encoder(handle, place).load(place, weights.options, memory, trust_model)
    from elmo_beam.elmo.encoder.encoder import Encoder

    return Encoder(weights, memory, precision, boundary_tokens=encoder == ALLENNLP)


def _own_encoder(handle: StrPath, place: Path) -> OwnEncoder:
    own = format_of(place).own_encoder
    if own is None:
        raise ArgumentError(f"`encoder` module needs a TF-Hub module, and {handle} is not one")
    return own
