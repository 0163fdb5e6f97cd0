"""What stands around the occurrences of a run of words."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.transforms.readers.run import Run


def contextual_output(run: Run) -> str | None:
    """The output that says most about a word in its sentence, None if there is only word_emb.

    The top layer tells the senses of a word apart best (Peters et al. 2018, section 5.3).
    """
    outputs = run.settings.outputs
    layers = sorted(name for name in outputs if name.startswith("lstm_outputs"))
    usable = [*(name for name in (SENTENCE_OUTPUT, "elmo") if name in outputs), *layers]
    return usable[-1] if usable else None


def context_columns(run: Run) -> list[str]:
    """The columns that `contexts` needs; empty if the run's format keeps no tokens."""
    if run.settings.context is not None:
        return ["left", "token", "right"]
    return ["tokens", "position", "token", "word"] if "tokens" in run.columns else []


def contexts(table: pa.Table, around: int) -> Iterator[tuple[list[str], str, list[str]]]:
    """Of each row at most so many tokens before the occurrence, what stands there, and after."""
    if "left" in table.column_names:
        for row in table.select(["left", "token", "right"]).to_pylist():
            left = row["left"]
            yield left[max(0, len(left) - around) :], row["token"], row["right"][:around]
        return
    for row in table.select(["tokens", "position", "token", "word"]).to_pylist():
        begin, tokens = row["position"], row["tokens"]
        end = begin + len(row["word"].split())
        yield tokens[max(0, begin - around) : begin], row["token"], tokens[end : end + around]
