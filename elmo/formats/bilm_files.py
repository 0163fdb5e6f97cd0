"""What the files of bilm-tf's models have in common: options, vocabulary, and arrays by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import MOST_OPTIONS, read_regular
from elmo_beam.elmo.model.characters import BOUNDARIES
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.model.token_ids import NO_LEXICON, UNKNOWN_WORD, Lexicon
from elmo_beam.elmo.model.weights import Weights, check_shapes, checked_weights
from elmo_beam.elmo.wording import counted, listed

MOST_WORDS = 1 << 28  # bytes of a vocab.txt; the authors' 793,471 words have 7 million
Shapes = Mapping[str, tuple[int, ...]]
ReadArrays = Callable[[Iterable[str]], dict[str, np.ndarray]]


def read_options(folder: Path, prefix: str = "") -> ModelOptions:
    """The options of a model in a folder: `PREFIXoptions.json`, or one that the folder shares.

    Raises UserError if there is none, or it is not one of an ELMo.
    """
    found = sorted(folder.glob("*options.json"))
    own = [path for path in found if path.name in (f"{prefix}options.json", "options.json")]
    # `X_options.json` before `options.json`, which several models may share.
    choice = max(own, key=lambda path: len(path.name), default=None)
    if choice is None and len(found) == 1:
        choice = found[0]
    if choice is None:
        others = f", only {listed([path.name for path in found])}" if found else ""
        own_name = f"{prefix}options.json or " if prefix.endswith(("_", "-")) else ""
        raise UserError(
            f"no {own_name}options.json in model folder {folder.absolute()}{others}: it belongs "
            "beside the weights"
        )
    return parse_options(read_regular(choice, MOST_OPTIONS), str(choice))


def read_lexicon(folder: Path, options: ModelOptions) -> Lexicon:
    """The vocabulary of a model of words, from vocab.txt; none for a model of characters."""
    if not options.n_words:
        return NO_LEXICON
    path = folder / "vocab.txt"
    if not path.exists():
        raise UserError(
            f"no vocab.txt in model folder {folder}: a model of words needs the one "
            "that it was trained with"
        )
    try:
        lines = read_regular(path, MOST_WORDS).decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({cause_of(error)}): fetch it again") from None
    # As the authors' Vocabulary reads it (`bilm/data.py`).
    words = [word for line in lines if (word := line.strip()) != "!!!MAXTERMID"]
    rows = {word: row for row, word in enumerate(words)}
    for name in (*BOUNDARIES, UNKNOWN_WORD):
        if name not in rows:
            raise UserError(f"{path} has no {name}: it is not a vocabulary of bilm-tf")
    if len(words) != options.n_words:
        raise UserError(
            f"{path} has {counted(len(words), 'word')}, and the model {options.n_words:,}: they "
            "are not from the same model"
        )
    return Lexicon(words=rows)


def read_arrays(
    options: ModelOptions, found: Shapes, read: ReadArrays, source: str, lexicon: Lexicon
) -> Weights:
    """Weights from arrays that have bilm-tf's names.

    found: the shapes of those that there are; read: reads some of them. A single layer's cell has
    no number, and the row of zeros for padding, which bilm-tf prepends to the table of characters,
    may be there already. Raises UserError.
    """
    single = options.n_layers == 1 and not any("/MultiRNNCell/" in name for name in found)
    names = {name: single_name(name) if single else name for name in options.shapes()}
    shapes = {names[name]: shape for name, shape in options.shapes().items()}
    padded = found.get("char_embed") == shapes.get("char_embed")
    if not padded:
        rows, width = shapes["char_embed"]
        shapes["char_embed"] = (rows - 1, width)
    check_shapes(shapes, found, source)
    read_by_name = read(shapes)
    arrays = {name: read_by_name[own] for name, own in names.items()}
    if not padded:
        arrays["char_embed"] = np.pad(arrays["char_embed"], [(1, 0), (0, 0)])
    elif options.filters and arrays["char_embed"][0].any():
        n = options.n_characters
        raise UserError(
            f"{source}: char_embed has {counted(n, 'row')}, and the first is not the padding row "
            f"of zeros: it must have {n - 1}, or that row before them"
        )
    return checked_weights(options, arrays, source, lexicon)


def single_name(name: str) -> str:
    """What bilm-tf calls an array of a model that has one layer only."""
    return name.replace("/MultiRNNCell/Cell0/", "/")
