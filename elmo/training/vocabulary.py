"""The words that the language models predict, and the softmax over them.

`vocab.txt` is bilm-tf's: one word per line, first <S>, </S> and <UNK>, then by falling frequency.
`softmax.hdf5` is ours (the published layout has no softmax): arrays W [words, projection_dim] and
b [words].
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.plain_hdf5 import plain_datasets
from elmo_beam.elmo.files.regular_files import read_regular
from elmo_beam.elmo.model.characters import BOUNDARIES
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import check_shapes

MOST_BYTES = 1 << 28  # of a vocab.txt; the authors' 793,471 words have 7 million
SPECIAL = (*BOUNDARIES, "<UNK>")
BEGIN, END, UNKNOWN = range(3)


def vocabulary_of(tokens: Sequence[str], counts: np.ndarray, size: int) -> list[str]:
    """The special tokens, then the most frequent ones, ties in the order of `tokens`.

    counts: int [len(tokens)], how often each occurs; tokens that do not occur are left out.
    """
    words = [tokens[i] for i in np.argsort(-counts, kind="stable") if counts[i]]
    return [
        *SPECIAL,
        *[w for w in words if w not in SPECIAL and "\n" not in w][: size - len(SPECIAL)],
    ]


def target_ids(tokens: Sequence[str], vocabulary: list[str]) -> np.ndarray:
    """int32 [len(tokens)]: each token's index in the vocabulary, <UNK>'s if it is not there."""
    index = {word: i for i, word in enumerate(vocabulary)}
    return np.fromiter((index.get(t, UNKNOWN) for t in tokens), np.int32, len(tokens))


def read_softmax(folder: Path, options: ModelOptions) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The vocabulary and the softmax's W and b beside a model; UserError if there is none."""
    words_file, path = folder / "vocab.txt", folder / "softmax.hdf5"
    for needed in (words_file, path):
        if not needed.exists():
            raise UserError(
                f"{folder} has no {needed.name}, so it cannot predict words: only a model that "
                "`elmo-beam train` wrote has one"
            )
    try:
        words = read_regular(words_file, MOST_BYTES).decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise UserError(f"{words_file} is not UTF-8 ({cause_of(error)}): train it again") from None
    if tuple(words[:3]) != SPECIAL:
        raise UserError(f"{words_file} must begin with {', '.join(SPECIAL)}: train it again")
    shapes = {"W": (len(words), options.projection_dim), "b": (len(words),)}
    with plain_datasets(path, shapes) as datasets:
        check_shapes(shapes, {name: data.shape for name, data in datasets.items()}, str(path))
        w, b = (np.asarray(datasets[name], np.float32) for name in shapes)
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise UserError(f"{path} has values that are not finite: train it again")
    return words, w, b


def softmax_bytes(w: np.ndarray, b: np.ndarray) -> bytes:
    """The content of softmax.hdf5."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["W"], file["b"] = w, b
    return data.getvalue()
