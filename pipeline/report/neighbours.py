"""A word's uses in a run, and the nearest neighbours of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.contexts import context_columns, contexts
from elmo_beam.pipeline.report.directions import directions
from elmo_beam.pipeline.report.pooled import nearest_words
from elmo_beam.transforms.readers.run import Run

MOST_VECTORS = 100_000  # compared with a word: those of the first parts, if there are more
CONTEXTS = 8  # of the word shown
NEIGHBOURS = 3  # of each context
AROUND = 6  # tokens shown on either side


def neighbours(run: Run, word: str) -> Iterator[str]:
    """Some uses of a word, each with its nearest neighbours; UserError if there is none.

    Of a pooled run, the nearest words.
    """
    outputs = run.settings.outputs
    # The top layer tells the senses of a word apart best (Peters et al. 2018, section 5.3).
    layers = sorted(name for name in outputs if name.startswith("lstm_outputs"))
    output = [SENTENCE_OUTPUT, *(o for o in outputs if o == "elmo"), *layers][-1]
    if run.settings.pool:
        yield from nearest_words(run, word, output if output in outputs else outputs[0])
        return
    if run.settings.words:
        found = _occurrence_vectors(run, output)
    elif output != SENTENCE_OUTPUT:
        found = _token_vectors(run, output)
    elif output in outputs:
        found = _sentence_vectors(run)
    else:
        raise UserError("the run has only word_emb, which has no context: add `outputs` elmo")
    vectors, words, shown, sentences = found
    at = [i for i, tokens in enumerate(words) if word.lower() in tokens]
    if not at:
        raise UserError(f"no sentence of {run.layout.root} has the word '{word}'")
    vectors = directions(vectors)
    what = "sentences" if output == SENTENCE_OUTPUT else "tokens"
    uses = counted(len(at), "use")
    yield f"{word}: {uses}; nearest {what} of other sentences, by cosine of {output}"
    for i in at[:: max(1, len(at) // CONTEXTS)][:CONTEXTS]:
        yield ""
        yield f"  {shown[i]}"
        near = vectors @ vectors[i]
        near[sentences == sentences[i]] = -np.inf
        others = [j for j in np.argsort(-near)[:NEIGHBOURS] if np.isfinite(near[j])]
        yield from (f"    {near[j]:.2f}  {shown[j]}" for j in others)


Found = tuple[np.ndarray, list[set[str]], list[str], np.ndarray]


def _token_vectors(run: Run, output: str) -> Found:
    """Vectors of tokens, the word of each, its context, and the number of its sentence."""
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    shown: list[str] = []
    sentences: list[int] = []
    number = 0
    for table in run.tables(["tokens", output]):
        vectors.append(run.vectors(table, output).astype(np.float32))
        for found in table["tokens"].to_pylist():
            words.extend({token.lower()} for token in found)
            shown.extend(_context(found, i) for i in range(len(found)))
            sentences.extend([number] * len(found))
            number += 1
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{run.layout.root} has no rows")
    return np.concatenate(vectors), words, shown, np.array(sentences)


def _occurrence_vectors(run: Run, output: str) -> Found:
    """The same for occurrences of words, each by its entry and by what stands there."""
    around = context_columns(run)
    if not around:
        raise UserError(f"{run.settings.format} of a run of words keeps no tokens: inspect Parquet")
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    shown: list[str] = []
    sentences: dict[tuple[object, ...], int] = {}
    numbers: list[int] = []
    columns = ["shard", "offset", "sentence", "token", "word"]
    for table in run.tables([*dict.fromkeys([*columns, *around, output])]):
        vectors.append(run.vectors(table, output).astype(np.float32))
        for row in table.select(columns).to_pylist():
            words.append({row["word"].lower(), row["token"].lower()})
            key = row["shard"], row["offset"], row["sentence"]
            numbers.append(sentences.setdefault(key, len(sentences)))
        shown += (" ".join([*a, f"[{t}]", *b]) for a, t, b in contexts(table, AROUND))
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{run.layout.root} has no rows")
    return np.concatenate(vectors), words, shown, np.array(numbers)


def _sentence_vectors(run: Run) -> Found:
    """The same for sentences."""
    if "tokens" not in run.columns:
        raise UserError(
            f"{run.settings.format} of sentence vectors keeps no tokens: inspect a Parquet run"
        )
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    shown: list[str] = []
    for table in run.tables(["tokens", SENTENCE_OUTPUT]):
        vectors.append(run.vectors(table, SENTENCE_OUTPUT).astype(np.float32))
        for tokens in table["tokens"].to_pylist():
            words.append({token.lower() for token in tokens})
            shown.append(_context(tokens, None))
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{run.layout.root} has no rows")
    return np.concatenate(vectors), words, shown, np.arange(len(words))


def _context(tokens: list[str], i: int | None) -> str:
    """A token in brackets among those around it; without one, the beginning of a sentence."""
    if i is None:
        return " ".join(tokens[: 4 * AROUND]) + (" …" if len(tokens) > 4 * AROUND else "")
    before, after = tokens[max(0, i - AROUND) : i], tokens[i + 1 : i + 1 + AROUND]
    return " ".join([*before, f"[{tokens[i]}]", *after])
