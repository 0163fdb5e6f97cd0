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
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.wording import counted

SPECIAL = ("<S>", "</S>", "<UNK>")
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
        if not needed.is_file():
            raise UserError(
                f"{folder} has no {needed.name}, so it cannot predict words: only a model that "
                "`elmo-beam train` wrote has one"
            )
    try:
        words = words_file.read_bytes().decode("utf-8").split("\n")[:-1]
        with h5py.File(path, "r") as file:
            w, b = np.asarray(file["W"], np.float32), np.asarray(file["b"], np.float32)
    except Exception as error:  # of a damaged file h5py raises anything
        raise UserError(
            f"cannot read the softmax in {folder} ({cause_of(error)}): train it again"
        ) from None
    if tuple(words[:3]) != SPECIAL or not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise UserError(
            f"{folder}: vocab.txt must begin with {', '.join(SPECIAL)}, and softmax.hdf5 hold "
            "finite numbers: train it again"
        )
    if w.shape != (len(words), options.projection_dim) or b.shape != (len(words),):
        raise UserError(
            f"{path} has shape {list(w.shape)}, and vocab.txt {counted(len(words), 'word')} of a "
            f"model with projection_dim {options.projection_dim}: they are not from the same model"
        )
    return words, w, b


def softmax_bytes(w: np.ndarray, b: np.ndarray) -> bytes:
    """The content of softmax.hdf5."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["W"], file["b"] = w, b
    return data.getvalue()
