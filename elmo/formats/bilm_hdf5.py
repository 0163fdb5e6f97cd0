"""The published layout: an HDF5 file of weights, with options.json beside it.

It is that of allenai/bilm-tf (`dump_weights`), which AllenNLP reads too: arrays named as in
`ModelOptions.shapes()`, the character table without its padding row. A model of words has a table
`embedding`, and vocab.txt beside it.
"""

from __future__ import annotations

import io
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.files.plain_hdf5 import plain_datasets
from elmo_beam.elmo.files.regular_files import check_regular
from elmo_beam.elmo.formats.bilm_files import (
    read_arrays,
    read_lexicon,
    read_options,
    single_name,
)
from elmo_beam.elmo.formats.model_format import ModelFormat
from elmo_beam.elmo.formats.registry import NO_WEIGHTS, WEIGHTS
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.wording import listed


def read_bilm(place: Path) -> Weights:
    """Weights from a file of them, or the folder of one; UserError says what is wrong with it."""
    path = place if place.is_file() else _weights_file(place)
    options = read_options(path.parent, path.stem.removesuffix("weights"))
    names = options.shapes()
    names |= {single_name(name): shape for name, shape in names.items()}
    lexicon = read_lexicon(path.parent, options)
    with plain_datasets(path, names) as datasets:
        return read_arrays(
            options,
            {name: dataset.shape for name, dataset in datasets.items()},
            lambda chosen: {name: np.asarray(datasets[name], np.float32) for name in chosen},
            str(path),
            lexicon,
        )


def _weights_file(folder: Path) -> Path:
    """The folder's only HDF5 file, or the only one that may be weights by its content."""
    files = sorted(
        file
        for file in folder.glob("*")
        if file.suffix.lower() in WEIGHTS and not fnmatchcase(file.name.lower(), NO_WEIGHTS)
    )
    if len(files) > 1:
        files = [file for file in files if _may_be_weights(file)]
    if len(files) == 1:
        return files[0]
    if not files:
        raise UserError(f"no weights in model folder {folder}: they belong beside options.json")
    raise UserError(
        f"model folder {folder} has {listed([file.name for file in files])}: name one of them, as "
        f"`--model {files[0]}`"
    )


def _may_be_weights(path: Path) -> bool:
    """Whether a file has LSTMs; one that cannot be read may, and is to be named."""
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            return "RNN_0" in file
    except OSError:
        return True


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


FORMAT = ModelFormat(
    "weights of bilm-tf in HDF5, as published",
    read=lambda place, options, trust_model: read_bilm(place),
)
