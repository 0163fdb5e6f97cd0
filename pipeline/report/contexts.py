"""What stands around the occurrences of a run of words."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from elmo_beam.transforms.readers.run import Run


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
