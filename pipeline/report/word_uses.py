"""A word's uses in a run, in two groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.contexts import context_columns, contexts, contextual_output
from elmo_beam.pipeline.report.groups import two_groups
from elmo_beam.pipeline.report.pooled import nearest_words
from elmo_beam.transforms.readers.run import Run

MOST_VECTORS = 1_000_000  # looked through; then no further part is
MOST_USES = 1_000  # compared: the first
TYPICAL = 4  # uses of each group shown
SHOWN = 6  # tokens on either side of one that is shown
AROUND = 20  # tokens on either side of one that its mean is of

Uses = tuple[np.ndarray, list[str]]  # vectors [uses, views, dim], and what is shown of each use


def word_uses(run: Run, word: str) -> Iterator[str]:
    """A word's uses in two groups, the most typical of each; UserError if there is none.

    Of a pooled run, the nearest words.

    A word's own vector says most about the word, which all its uses share. So a use is compared by
    two others: what the model expects there without having read the word (the forward half of the
    token before it and the backward half of the token after it), and the mean of the tokens around
    it. With the default model the two groups are the two senses of the sample's ten words for 83%
    of the uses and 96% of those shown; by the words' own vectors 65% and 82%. That was chosen on
    five of the words (82% and 98%) and judged on the others (84% and 95%). In a run of words or of
    sentences a use has one vector, the occurrence's or its sentence's.
    """
    output = contextual_output(run)
    if run.settings.pool:
        yield from nearest_words(run, word, output or run.settings.outputs[0])
        return
    if output is None:
        raise UserError("the run has only word_emb, which has no context: add `outputs` elmo")
    vectors, shown, extent = _found(run, output, word)
    groups = [group for group in two_groups(vectors) if len(group)]
    what = counted(len(groups), "group")
    yield f"{word}: {extent} in {what} by {output}, the most typical first"
    for group in groups:
        yield ""
        yield f"  {counted(len(group), 'use')}"
        different = list(dict.fromkeys(shown[i] for i in group))
        yield from (f"    {use}" for use in different[:TYPICAL])


def _found(run: Run, output: str, word: str) -> tuple[np.ndarray, list[str], str]:
    """The uses of a word, and how many they are of which parts."""
    if run.settings.words:
        kind, uses, columns = "words", _occurrences, context_columns(run)
    else:
        kind, uses = "sentence vectors", _sentences if output == SENTENCE_OUTPUT else _tokens
        columns = [name for name in run.columns if name == "tokens"]
    if not columns:
        raise UserError(f"{run.settings.format} of {kind} keeps no tokens: inspect a Parquet run")
    if run.settings.words:
        columns = [*dict.fromkeys([*columns, "word"])]
    vectors: list[np.ndarray] = []
    shown: list[str] = []
    looked, parts = 0, ""
    for number, table in enumerate(run.tables([*columns, output]), start=1):
        of_part = run.vectors(table, output)
        found, texts = uses(table, of_part, word, MOST_USES - len(shown))
        vectors.append(found)
        shown += texts
        looked += len(of_part)
        if len(shown) == MOST_USES:
            break
        if looked >= MOST_VECTORS:
            parts = f" in the first {counted(number, 'part')}"
            break
    if not looked:
        raise UserError(f"{run.layout.root} has no rows")
    if not shown:
        raise UserError(f"no sentence{parts} of {run.layout.root} has the word '{word}'")
    first = "the first " if len(shown) == MOST_USES else ""
    return np.concatenate(vectors), shown, f"{first}{counted(len(shown), 'use')}{parts}"


def _tokens(table: pa.Table, vectors: np.ndarray, word: str, most: int) -> Uses:
    """Tokens, each by what is expected there and by the mean of those around it."""
    lists = table["tokens"].combine_chunks()
    tokens, ends = lists.flatten(), np.cumsum(pc.list_value_length(lists), dtype=np.int64)
    half = vectors.shape[1] // 2
    views, shown = [], []
    for i in np.flatnonzero(_same(tokens, word))[:most].tolist():
        row = int(np.searchsorted(ends, i, side="right"))
        begin, end = (int(ends[row - 1]) if row else 0), int(ends[row])
        before, after = vectors[max(begin, i - 1)], vectors[min(i + 1, end - 1)]
        around = vectors[max(begin, i - AROUND) : min(i + AROUND + 1, end)]
        views.append(
            [np.concatenate([before[:half], after[half:]]), around.mean(axis=0, dtype=np.float32)]
        )
        left = tokens[max(begin, i - SHOWN) : i].to_pylist()
        right = tokens[i + 1 : min(i + 1 + SHOWN, end)].to_pylist()
        shown.append(" ".join([*left, f"[{tokens[i]}]", *right]))
    return np.array(views, np.float32).reshape(-1, 2, vectors.shape[1]), shown


def _sentences(table: pa.Table, vectors: np.ndarray, word: str, most: int) -> Uses:
    """Sentences that have the word, each by its vector."""
    lists = table["tokens"].combine_chunks()
    parents = np.asarray(pc.list_parent_indices(lists))
    rows = np.unique(parents[_same(lists.flatten(), word)])[:most]
    length = 4 * SHOWN
    shown = [
        " ".join(tokens[:length]) + (" …" if len(tokens) > length else "")
        for tokens in lists.take(pa.array(rows)).to_pylist()
    ]
    return vectors[rows, None].astype(np.float32), shown


def _occurrences(table: pa.Table, vectors: np.ndarray, word: str, most: int) -> Uses:
    """Occurrences of the word, as the list has it or as it stands there, each by its vector."""
    same = _same(table["word"], word) | _same(table["token"], word)
    rows = np.flatnonzero(same)[:most]
    found = contexts(table.take(pa.array(rows)), SHOWN)
    shown = [" ".join([*left, f"[{token}]", *right]) for left, token, right in found]
    return vectors[rows, None].astype(np.float32), shown


def _same(column: pa.Array, word: str) -> np.ndarray:
    """Which strings are the word, in any case."""
    return np.asarray(pc.equal(pc.utf8_lower(column), pc.utf8_lower(pa.scalar(word))))
