"""A checkpoint of bilm-tf's training: model.ckpt-N.*, with options.json beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.files.checkpoint import Checkpoint
from elmo_beam.elmo.formats.bilm_files import read_arrays, read_lexicon, read_options
from elmo_beam.elmo.formats.model_format import ModelFormat
from elmo_beam.elmo.model.weights import Weights

# As the authors' `dump_weights` renames (`bilm/training.py`), in this order.
RENAMED = (
    ("^lm/", ""),
    ("/rnn/", "/RNN/"),
    ("/multi_rnn_cell/", "/MultiRNNCell/"),
    ("/cell_", "/Cell"),
    ("/lstm_cell/", "/LSTMCell/"),
    ("(?<=/LSTMCell/)projection/kernel$", "W_P_0"),
    ("(?<=/LSTMCell/)kernel$", "W_0"),
    ("(?<=/LSTMCell/)bias$", "B"),
)


def read_checkpoint(folder: Path) -> Weights:
    """Weights from the checkpoint of the most steps; UserError says what is wrong with it.

    The file `checkpoint` is not looked at: it names a path of the trainer's machine.
    """
    try:
        options = read_options(folder)
    except UserError as error:
        raise UserError(f"a checkpoint of bilm-tf cannot be read: {error}") from None
    lexicon = read_lexicon(folder, options)
    prefix = max(checkpoints(folder), key=_step)
    checkpoint = Checkpoint(prefix)
    names = {dumped_name(name): name for name in checkpoint.shapes if name.startswith("lm/")}

    def read(chosen: Iterable[str]) -> dict[str, np.ndarray]:
        arrays = checkpoint.read([names[name] for name in chosen])
        return {name: np.asarray(arrays[names[name]], np.float32) for name in chosen}

    shapes = {name: checkpoint.shapes[own] for name, own in names.items()}
    return read_arrays(options, shapes, read, str(prefix), lexicon)


def checkpoints(folder: Path) -> list[Path]:
    """The prefixes of a folder's checkpoints."""
    return [file.with_suffix("") for file in folder.glob("*.ckpt-*.index")]


def _step(prefix: Path) -> int:
    digits = re.search(r"[0-9]+$", prefix.name)
    return int(digits[0]) if digits else -1


def dumped_name(variable: str) -> str:
    """The name of a checkpoint's variable in the published layout."""
    for pattern, replacement in RENAMED:
        variable = re.sub(pattern, replacement, variable)
    return variable


FORMAT = ModelFormat(
    "checkpoint of bilm-tf",
    read=lambda folder, options, trust_model: read_checkpoint(folder),
)
