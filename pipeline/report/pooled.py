"""The words of a pooled run: the nearest to one, and a map of the most frequent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.directions import directions
from elmo_beam.pipeline.report.projection import projected
from elmo_beam.pipeline.report.svg import Point, scatter
from elmo_beam.transforms.readers.pooled_words import read_words
from elmo_beam.transforms.readers.run import Run

NEAREST = 10  # words shown
MAPPED = 40  # words, at most
LETTERS = 4  # at least, of a word that is mapped, unless there are too few


def nearest_words(run: Run, word: str, output: str) -> Iterator[str]:
    """The words whose mean vectors are nearest to a word's; UserError if it does not occur."""
    words, counts, means = word_means(run, output)
    if word not in words:  # then in any case
        word = next((other for other in words if other.lower() == word.lower()), word)
    if word not in words:
        raise UserError(f"'{word}' does not occur among the words of {run.layout.root}")
    own = words.index(word)
    means = directions(means)
    near = means @ means[own]
    near[own] = -np.inf
    yield f"{word}: {counted(counts[own], 'use')}; nearest words, by cosine of their mean {output}"
    for i in np.argsort(-near, kind="stable")[: min(NEAREST, len(words) - 1)]:
        yield f"  {near[i]:.2f}  {words[i]}  ({counted(counts[i], 'use')})"


def pooled_map(run: Run, output: str) -> Iterator[str]:
    """HTML of a map of the most frequent words; nothing if there are too few."""
    if not run.complete:
        return
    words, counts, means = word_means(run, output)
    plain = [len(word) >= LETTERS and word.isalpha() for word in words]
    chosen = sorted(range(len(words)), key=lambda i: (not plain[i], -counts[i]))[:MAPPED]
    if len(chosen) < 3:
        return
    places, beyond = projected(means[chosen])
    points = [
        Point(float(x), float(y), words[i], f"{words[i]}: {counted(counts[i], 'use')}", bool(far))
        for i, (x, y), far in zip(chosen, places, beyond, strict=True)
    ]
    what = f"{len(chosen):,} of {counted(len(words), 'word')}"
    yield f'<h2 id="map">{what}, by the means of their {escape(output)} vectors</h2>'
    yield scatter(points, "words, in the two directions in which they differ most", "map")
    yield f'<p class="soft">{map_caption(points)}</p>'


def map_caption(points: Sequence[Point]) -> str:
    """What a map shows, and how."""
    n = sum(point.beyond for point in points)
    rings = f" {counted(n, 'point')} far from all others, on the edge, as rings." if n else ""
    return f"The plane in which they differ most.{rings}"


def word_means(run: Run, output: str) -> tuple[list[str], list[int], np.ndarray]:
    """The words, their counts and their mean vectors, float32 [words, dim]."""
    words: list[str] = []
    counts: list[int] = []
    means = [np.zeros((0, run.dim(output)), np.float32)]
    for table in read_words(run, ["word", "count", f"{output}_mean"]):
        words += table["word"].to_pylist()
        counts += table["count"].to_pylist()
        flat = np.asarray(table[f"{output}_mean"].combine_chunks().flatten())
        means.append(flat.reshape(table.num_rows, -1))
    return words, counts, np.concatenate(means)
