"""A map of a few hundred token vectors: uses of the words that are a run's topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.contexts import context_columns, contexts
from elmo_beam.pipeline.report.pooled import map_caption, pooled_map
from elmo_beam.pipeline.report.projection import projected
from elmo_beam.pipeline.report.svg import Point, scatter
from elmo_beam.transforms.readers.run import Run

WORDS, USES = 12, 30  # at most: words, and uses of each
LETTERS, FEWEST = 4, 8  # at least: a word's letters, and its uses
STRETCHES = 40  # of the text, over which a word may or may not be spread
MAP_PARTS = 20  # only the first parts are read
AROUND = 5  # tokens shown on either side of a use


def word_map(run: Run, topical: Sequence[str]) -> Iterator[str]:
    """HTML of the map; nothing if there are too few uses. topical: words of `topical_words`."""
    outputs = [name for name in run.settings.outputs if name != SENTENCE_OUTPUT]
    if run.settings.pool:
        outputs = outputs or [SENTENCE_OUTPUT]
        yield from pooled_map(run, "elmo" if "elmo" in outputs else outputs[-1])
        return
    around = context_columns(run) if run.settings.words else "tokens" in run.columns
    if not outputs or not around:
        return
    output = "elmo" if "elmo" in outputs else outputs[-1]
    if run.settings.words:
        uses = _occurrences(run, output)
        chosen = sorted(uses, key=lambda word: -len(uses[word]))[:WORDS]
    else:
        chosen = list(topical)
        uses = _uses(run, output, set(chosen))
    vectors = [vector for word in chosen for vector, _ in uses[word]]
    if len(vectors) < 3:
        return
    places, beyond = projected(np.array(vectors, np.float32))
    texts = [(word, f"{word}: {text}") for word in chosen for _, text in uses[word]]
    points = [
        Point(float(x), float(y), word, text, bool(far))
        for (x, y), (word, text), far in zip(places, texts, beyond, strict=True)
    ]
    what = f"{counted(len(points), 'use')} of {counted(len(chosen), 'word')}"
    yield f'<h2 id="map">{what}, by their {escape(output)} vectors</h2>'
    yield scatter(points, "token vectors, in the two directions in which they differ most", "map")
    yield f'<p class="soft">{map_caption(points)}</p>'


def topical_words(run: Run) -> list[str]:
    """The words that occur in bursts, as those of a topic do and those of grammar do not.

    Empty for a run of words, and for one that keeps no tokens.
    """
    if run.settings.words or "tokens" not in run.columns:
        return []
    tables = islice(run.tables(["tokens"]), MAP_PARTS)
    columns = [table["tokens"].combine_chunks().flatten() for table in tables]
    if not columns:
        return []
    tokens = pa.concat_arrays(columns).dictionary_encode()
    words, ids = tokens.dictionary.to_pylist(), np.asarray(tokens.indices, np.int64)
    stretch = np.arange(len(ids)) * STRETCHES // max(len(ids), 1)
    counts = np.bincount(ids * STRETCHES + stretch, minlength=len(words) * STRETCHES)
    counts = counts.reshape(len(words), STRETCHES)
    bursts = counts.var(axis=1) / np.maximum(counts.mean(axis=1), 1e-9)
    often = counts.sum(axis=1) >= FEWEST
    fit = [i for i, w in enumerate(words) if often[i] and len(w) >= LETTERS and w.isalpha()]
    return [words[i] for i in sorted(fit, key=lambda i: -bursts[i])[:WORDS]]


def _uses(run: Run, output: str, words: set[str]) -> dict[str, list[tuple[np.ndarray, str]]]:
    """The first uses of some words: each one's vector, and the tokens around it."""
    found: dict[str, list[tuple[np.ndarray, str]]] = defaultdict(list)
    for table in islice(run.tables(["tokens", output]), MAP_PARTS):
        vectors, at = run.vectors(table, output), 0
        for sentence in table["tokens"].to_pylist():
            for i, word in enumerate(sentence):
                if word in words and len(found[word]) < USES:
                    around = " ".join(sentence[max(0, i - AROUND) : i + AROUND + 1])
                    # A view would keep the whole part.
                    found[word].append((vectors[at + i].copy(), around))
            at += len(sentence)
        if all(len(found[word]) >= USES for word in words):
            break
    return found


def _occurrences(run: Run, output: str) -> dict[str, list[tuple[np.ndarray, str]]]:
    """The same of a run that is of words: those that it looked for."""
    found: dict[str, list[tuple[np.ndarray, str]]] = defaultdict(list)
    columns = [*dict.fromkeys([*context_columns(run), "word", output])]
    for table in islice(run.tables(columns), MAP_PARTS):
        vectors, words = run.vectors(table, output), table["word"].to_pylist()
        for i, (word, context) in enumerate(zip(words, contexts(table, AROUND), strict=True)):
            if len(found[word]) < USES:
                left, token, right = context
                found[word].append((vectors[i].copy(), " ".join([*left, token, *right])))
    return found
