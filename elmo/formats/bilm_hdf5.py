"""The published layout: a folder with options.json and one HDF5 file of weights.

It is that of allenai/bilm-tf (`dump_weights`), which AllenNLP reads too: arrays named as in
`ModelOptions.shapes()`, the character table without its padding row.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.formats.model_format import ModelFormat
from elmo_beam.elmo.model.options import ModelOptions, parse_options
from elmo_beam.elmo.model.weights import Weights, checked_weights


def read_bilm(folder: Path) -> Weights:
    """Weights from a folder in the published layout; UserError says what is wrong with it."""
    options_file = folder / "options.json"
    if not options_file.is_file():
        raise UserError(f"no options.json in model folder {folder}: it belongs beside the weights")
    options = parse_options(options_file.read_bytes(), str(options_file))
    path = _weights_file(folder)
    return checked_weights(options, _read_arrays(path, options), str(path))


def _weights_file(folder: Path) -> Path:
    """The folder's only HDF5 file, or among several the one named *weights.hdf5."""
    files = sorted(f for f in folder.glob("*.hdf5") if f.name != "softmax.hdf5")
    named = [f for f in files if f.name.endswith("weights.hdf5")]
    for choice in (files, named):
        if len(choice) == 1:
            return choice[0]
    found = ", ".join(f.name for f in files) or "none"
    raise UserError(f"model folder {folder} must hold one *weights.hdf5, found: {found}")


def _read_arrays(path: Path, options: ModelOptions) -> dict[str, np.ndarray]:
    try:
        with h5py.File(path, "r") as file:
            arrays = {
                name: np.asarray(file[name], np.float32)
                for name in options.shapes()
                if name in file
            }
    except Exception as error:  # of a damaged file h5py raises anything
        raise UserError(
            f"cannot read weights {path} ({cause_of(error)}): fetch the file again"
        ) from None
    if "char_embed" in arrays and arrays["char_embed"].ndim == 2:
        padding = np.zeros((1, arrays["char_embed"].shape[1]), np.float32)
        arrays["char_embed"] = np.concatenate([padding, arrays["char_embed"]])
    return arrays


def write_bilm(weights: Weights, folder: Path) -> None:
    """Write options.json and weights.hdf5 into `folder`, which is created if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(options_text(weights.options), encoding="utf-8")
    (folder / "weights.hdf5").write_bytes(weights_bytes(weights))


def options_text(options: ModelOptions, recipe: dict[str, Any] | None = None) -> str:
    """The content of options.json. recipe: fields that say how the model was trained."""
    return json.dumps({**options.to_json(), **(recipe or {})}, indent=2) + "\n"


def weights_bytes(weights: Weights) -> bytes:
    """The content of weights.hdf5.

    The layout has no room for a mix of layers, so `aggregation/*` is left out.
    """
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for name in weights.options.shapes():
            array = weights.arrays[name]
            file[name] = array[1:] if name == "char_embed" else array
    return data.getvalue()


FORMAT = ModelFormat(read=lambda folder, options: read_bilm(folder))
