"""The published layout: a folder with options.json and one HDF5 file of weights.

It is that of allenai/bilm-tf (`dump_weights`), which AllenNLP reads too: arrays named as in
`ModelOptions.shapes()`, the character table without its padding row. Both put a row of zeros before
that table as they read it; here a file that has the row already, as some exports do, is read too.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.formats.model_format import ModelFormat
from elmo_beam.elmo.formats.plain_hdf5 import plain_datasets
from elmo_beam.elmo.formats.regular_files import MOST_OPTIONS, read_regular
from elmo_beam.elmo.model.options import N_CHARACTERS, ModelOptions, parse_options
from elmo_beam.elmo.model.weights import Weights, check_shapes, checked_weights
from elmo_beam.elmo.wording import counted


def read_bilm(folder: Path) -> Weights:
    """Weights from a folder in the published layout; UserError says what is wrong with it."""
    options_file = folder / "options.json"
    if not options_file.exists():
        raise UserError(f"no options.json in model folder {folder}: it belongs beside the weights")
    options = parse_options(read_regular(options_file, MOST_OPTIONS), str(options_file))
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
    shapes = options.shapes()
    with plain_datasets(path, shapes) as datasets:
        found = {name: dataset.shape for name, dataset in datasets.items()}
        padded = found.get("char_embed") == shapes["char_embed"]
        if not padded:
            shapes["char_embed"] = (N_CHARACTERS - 1, options.char_dim)
        check_shapes(shapes, found, str(path))
        arrays = {name: np.asarray(dataset, np.float32) for name, dataset in datasets.items()}
    if not padded:
        arrays["char_embed"] = np.pad(arrays["char_embed"], [(1, 0), (0, 0)])
    elif arrays["char_embed"][0].any():
        raise UserError(
            f"{path}: char_embed has {counted(N_CHARACTERS, 'row')}, and the first is not the "
            f"padding row of zeros: it must have {N_CHARACTERS - 1}, or that row before them"
        )
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


FORMAT = ModelFormat(read=lambda folder, options, trust_model: read_bilm(folder))
