"""What a run of words gives to other code: each word's vectors, and a file of them."""

from __future__ import annotations

import zipfile

import numpy as np

from elmo_beam.elmo.arguments import path_text
from elmo_beam.elmo.errors import ArgumentError, UserError, cause_of
from elmo_beam.elmo.formats.handles import StrPath
from elmo_beam.transforms.readers.run import Run


def word_vectors(run: Run, output: str) -> dict[str, np.ndarray]:
    """The vectors of each word that a run looked for, float [occurrences, dim], in its order.

    Raises ArgumentError if the run is not one of words, or lacks the output.
    """
    if not isinstance(run, Run) or not run.settings.words:
        raise ArgumentError("`run` is not a run of words: embed with `words`")
    run.check_rows()
    parts: dict[str, list[np.ndarray]] = {word: [] for word in run.settings.words}
    none = np.zeros((0, run.dim(output)), run.settings.dtype)
    for table in run.tables(["word", output]):
        vectors, words = run.vectors(table, output), table["word"].combine_chunks()
        coded = words.dictionary_encode()
        ids = np.asarray(coded.indices)
        for i, word in enumerate(coded.dictionary.to_pylist()):
            parts[word].append(vectors[ids == i])
    return {word: np.concatenate([none, *own]) for word, own in parts.items()}


def save_word_vectors(run: Run, path: StrPath, output: str) -> None:
    """Write what `word_vectors` gives as an .npz file, for code for lexical semantic change.

    One array for each word, under its name: `numpy.load(path)["bank"]`. Raises UserError if it
    cannot be written.
    """
    found = word_vectors(run, output)
    path = path_text("path", path)
    try:
        # Not numpy.savez, which cannot have an array called `file`.
        with zipfile.ZipFile(path, "w") as archive:
            for word, vectors in found.items():
                with archive.open(f"{word}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, vectors, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot write `path` {path} ({cause_of(error)})") from None
