"""The formats that models come in, and which one a folder is of."""

from __future__ import annotations

import os
from collections.abc import Collection
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.wording import listed

if TYPE_CHECKING:  # it imports NumPy and TensorFlow, which --help must not wait for
    from elmo_beam.elmo.formats.model_format import ModelFormat

# Each format by a file that marks its folders. The first mark that a folder has counts, so a format
# whose folders hold another's mark too comes before that one. The module defines FORMAT, and is
# imported only when a folder has the file.
CHECKPOINT = "*.ckpt-*.index"
MODEL_FORMATS = {
    "saved_model.pb": "elmo_beam.elmo.formats.hub_module",
    "token_embedder.pkl": "elmo_beam.elmo.formats.many_langs",
    "*.hdf5": "elmo_beam.elmo.formats.bilm_hdf5",
    "*.h5": "elmo_beam.elmo.formats.bilm_hdf5",
    CHECKPOINT: "elmo_beam.elmo.formats.bilm_checkpoint",
}
NO_WEIGHTS = "*softmax.*"  # of a model's training, which alone makes no model
WEIGHTS = (".hdf5", ".h5")  # files that are a model by themselves, with their options beside them
# What a folder may be that is no model, by files that it has: the first that fits.
KNOWN_OTHERS = (
    (("encoder.pkl", "word.dic", "char.dic"), "a part of an ELMoForManyLangs model: it lacks "
     "token_embedder.pkl"),
    (("options.json",), "an ELMo's options without its weights, an .hdf5 file"),
    (("*_options.json",), "an ELMo's options without its weights, an .hdf5 file"),
    (("weights.th", "*.th"), "a model of AllenNLP: elmo-beam reads the ELMo that it was made with, "
     "an options.json and a weights.hdf5"),
    (("pytorch_model.bin", "model.safetensors", "tf_model.h5"), "a model of transformers, not an "
     "ELMo"),
    (("*.zip", "*.tar.gz", "*.tgz", "*.tar.bz2"), "an archive: name the archive itself"),
    (("variables",), "a part of a SavedModel: it lacks saved_model.pb"),
    (("checkpoint",), "a part of a checkpoint: it lacks model.ckpt-N.index"),
)  # fmt: skip
MOST_LOOKED_AT = 1000  # folders, in search of models


def format_of(place: Path) -> ModelFormat:
    """The format of a folder, or of a file of weights; UserError says what it is instead."""
    module = module_of(place)
    if module is None:
        raise UserError(f"no model in folder {place}: {looks_like(place)}")
    found: ModelFormat = import_module(module).FORMAT
    return found


def module_of(place: Path) -> str | None:
    """The module of a model's format, None if it is of no format.

    Raises UserError for a folder that has models of two formats. (A checkpoint beside what was
    dumped from it is no second model.)
    """
    if not place.is_dir():
        return MODEL_FORMATS[f"*{place.suffix.lower()}"]
    names = _names(place)
    marks = [mark for mark in MODEL_FORMATS if _matching(names, mark)]
    found = dict.fromkeys(MODEL_FORMATS[mark] for mark in marks)
    if len(found) > 1 and list(found)[1] != MODEL_FORMATS[CHECKPOINT]:
        raise UserError(
            f"folder {place} has models of two formats ({', '.join(marks)}): move one elsewhere"
        )
    return next(iter(found), None)


def looks_like(folder: Path) -> str:
    """What a folder is that is no model, in words."""
    inside = models_below(folder)
    if len(inside) == 1:
        return f"there is one in {inside[0]}: name that"
    if inside:
        return f"several model folders ({listed([str(path) for path in inside])}): name one of them"
    names = _names(folder)
    for marks, what in KNOWN_OTHERS:
        if any(_matching(names, mark) for mark in marks):
            return f"it looks like {what}"
    return f"it holds no {', '.join(MODEL_FORMATS)}"


def models_below(folder: Path) -> list[Path]:
    """The folders within a folder, itself included, that are models, in order."""
    found: list[Path] = []
    for looked_at, (path, folders, _) in enumerate(os.walk(folder)):
        folders.sort()
        if looked_at == MOST_LOOKED_AT:
            break
        if module_of(Path(path)):
            found.append(Path(path))
            folders.clear()  # what is in a model is the model's
    return found


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read model folder {folder} ({cause_of(error)})") from None


def _matching(names: Collection[str], mark: str) -> bool:
    lower = [name.lower() for name in names]
    return any(fnmatchcase(n, mark) and not fnmatchcase(n, NO_WEIGHTS) for n in lower)
