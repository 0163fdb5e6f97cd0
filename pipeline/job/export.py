"""A pooled run's means as a text file of vectors, as word2vec and GloVe wrote theirs."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elmo_beam.elmo.arguments import check_choice
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.work_folder import work_folder
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.storage import new_file
from elmo_beam.transforms.readers.pooled_words import read_words
from elmo_beam.transforms.readers.run import Run, open_run


def export(folder: str, output: str, form: str, vectors: str | None) -> str:
    """Write the mean vector of each word, one on a line; what was written, in a line.

    form: "word2vec", whose first line has the number of words and the width, or "glove", without.
    vectors: the output; may be None if the run has one. The numbers are the shortest that give the
    same float32 again. White space in an entry becomes an underscore, since it separates numbers.
    Raises ArgumentError for `vectors`, and UserError, if two entries would look alike for instance.
    """
    run = open_run(folder)
    if not run.settings.pool:
        raise UserError(f"{run.layout.root} is not a pooled run: embed with `pool` word")
    name = _chosen(run, vectors)
    words = _labels(run)
    dim = run.dim(name)
    with ExitStack() as stack:
        root = output.rpartition("/")[0]
        if not is_remote(output):
            output = os.path.abspath(output)
            root = str(stack.enter_context(work_folder(output)))
        file = stack.enter_context(open(stack.enter_context(new_file(root, output)), "wb"))
        if form == "word2vec":
            file.write(f"{len(words)} {dim}\n".encode())
        at = 0
        for table in read_words(run, [f"{name}_mean"]):
            file.write(_lines(words[at : at + table.num_rows], table.column(0)))
            at += table.num_rows
    return f"{output}: {counted(len(words), 'word')}, {dim} numbers each, {form}"


def _chosen(run: Run, vectors: str | None) -> str:
    outputs = run.settings.outputs
    if vectors is not None:
        check_choice("vectors", vectors, outputs)
        return vectors
    if len(outputs) > 1:
        raise ArgumentError(f"`vectors` is missing: name one of {', '.join(outputs)}")
    return outputs[0]


def _labels(run: Run) -> list[str]:
    """The words as the file has them; UserError if two are the same."""
    words = [word for table in read_words(run, ["word"]) for word in table["word"].to_pylist()]
    labels = [re.sub(r"\s+", "_", word) for word in words]
    first: dict[str, str] = {}
    for word, label in zip(words, labels, strict=True):
        if first.setdefault(label, word) != word:
            raise UserError(
                f"'{first[label]}' and '{word}' would both be '{label}': pool them in two runs"
            )
    return labels


def _lines(words: list[str], means: pa.ChunkedArray) -> bytes:
    """A line for each word; Arrow writes a number in the fewest digits that give it again."""
    column = means.combine_chunks()
    dim = column.type.list_size
    offsets = pa.array(np.arange(len(column) + 1, dtype=np.int32) * dim)
    numbers = pa.ListArray.from_arrays(offsets, column.flatten().cast(pa.string()))
    lines = pc.binary_join_element_wise(
        pa.array(words, pa.string()), pc.binary_join(numbers, " "), " "
    )
    whole = pa.ListArray.from_arrays([0, len(lines)], lines)
    return bytes(pc.binary_join(whole, "\n")[0].as_buffer()) + b"\n"
