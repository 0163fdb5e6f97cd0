"""Model handles: `default`, a folder in the published layout, a TF-Hub module's folder or URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from elmo.encoded import Encoded
from elmo.errors import UserError
from elmo.options import Options
from elmo.precision import check_precision
from elmo.published import read_published
from elmo.sentences import Sentences
from elmo.weights import Weights

DEFAULT_MODEL = "default"
ENGINES = ("native", "module")


class Engine(Protocol):
    """What turns sentences into vectors: the native encoder, or a module itself."""

    options: Options

    def batches(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """Vectors of columnar sentences, in passes that fit into memory; each sentence in one."""


def model_folder(handle: str) -> Path:
    """The local folder of a handle; UserError where there is none."""
    if handle == DEFAULT_MODEL:
        return Path(__file__).parent / "default"
    if "://" in handle and not handle.startswith("file://"):
        from elmo.hub import resolve_module

        return resolve_module(handle)
    folder = Path(handle.removeprefix("file://"))
    if not folder.is_dir():
        raise UserError(
            f"no model folder {handle}: give a folder, the URL of a TF-Hub module, or `default`"
        )
    return folder


def is_module(folder: Path) -> bool:
    """Whether a folder is a saved module, rather than the published layout."""
    return (folder / "saved_model.pb").is_file()


def read_weights(handle: str, engine: str = "native", options: Options | None = None) -> Weights:
    """The weights behind a handle.

    A module's options are `options` where given, else found by comparing the native encoder with
    the module itself (with engine `module` there is nothing to compare). Raises UserError.
    """
    folder = model_folder(handle)
    if not is_module(folder):
        if engine == "module":
            raise UserError(f"--engine module needs a TF-Hub module, and {handle} is none")
        return read_published(folder)
    from elmo import hub

    if engine == "module":
        return hub.unprobed_module_weights(folder)
    return hub.read_module(folder, options)


def load_engine(
    handle: str,
    engine: str,
    memory: int,
    options: Options | None = None,
    digest: str | None = None,
    precision: str = "float32",
) -> Engine:
    """The engine for a handle, ready to run.

    Raises UserError for weights of another digest than `digest`, and for a precision that this
    processor lacks.
    """
    check_precision(precision)
    weights = read_weights(handle, engine, options)
    if digest is not None and weights.digest != digest:
        raise UserError(
            f"model {handle} is another one here ({weights.digest[:12]}) than the command saw "
            f"({digest[:12]}): put the same model on every worker"
        )
    if engine == "module":
        from elmo.hub import Module

        return Module(model_folder(handle), weights.options, memory)
    from elmo.encoder import Encoder

    return Encoder(weights, memory, precision)
