"""A sample of a run's uses of words, small enough to be kept in a page, and their neighbours."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa

from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT
from elmo_beam.pipeline.report.contexts import context_columns, contexts, contextual_output
from elmo_beam.pipeline.report.directions import directions
from elmo_beam.pipeline.report.pooled import word_means
from elmo_beam.transforms.outputs.schema import has_one_vector
from elmo_beam.transforms.readers.run import Run

PARTS = 8  # the first parts are read
MOST = 8_000  # uses, tokens in all; of a pooled run, words
MOST_POOLED = 4_000
MOST_BYTES = 500_000  # of their text
TOKEN = 30  # letters of a token shown
AROUND = 12  # tokens shown on either side, of an occurrence
WHOLE = 40  # tokens shown of a sentence that has one vector
USES = 8  # of a word that have neighbours
NEIGHBOURS = 3  # of each
POOLED_NEIGHBOURS = 10
KEYS = ["word", "shard", "offset", "sentence"]  # of an occurrence: its entry, and its sentence
ROWS = 512  # compared with all others at once


@dataclass
class Sample:
    """Uses of words. output: what their vectors are; kind: "token", "sentence" or "word".

    vectors: float32 [uses, dim]. sentences: of tokens, no two alike. at: for each use, its sentence
    and its place in it, -1 for the whole. words: for each use, what it is found by. origins: for
    each use, the number of the text's sentence.
    """

    output: str
    kind: str
    vectors: list[np.ndarray] = field(default_factory=list)
    sentences: list[Sequence[str]] = field(default_factory=list)
    at: list[tuple[int, int]] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    bytes: int = 0
    _seen: dict[Hashable, int] = field(default_factory=dict)

    def full(self, most: int) -> bool:
        """Whether there is no room for more."""
        return len(self.at) >= most or self.bytes >= MOST_BYTES

    def add(
        self,
        vectors: np.ndarray,
        tokens: Sequence[str],
        places: Sequence[int],
        words: Sequence[Iterable[str]],
        origin: Hashable = None,
    ) -> None:
        """Add a sentence, unless there is one like it, and uses at some places.

        vectors: [uses, dim]. words: for each use, what it is found by. origin: what names the
        sentence if it is added for each use in it.
        """
        shown = tuple(map(_cut, tokens))
        key = shown, tuple(places)
        if key in self._seen:
            return
        number = self._seen.setdefault(key, len(self._seen))
        if origin is not None:
            number = self._seen.setdefault(origin, len(self._seen))
        self.bytes += sum(len(json.dumps(token, ensure_ascii=False).encode()) for token in shown)
        self.vectors.append(np.array(vectors, np.float32))  # a view would keep the whole part
        self.at += ((len(self.sentences), place) for place in places)
        self.words += (tuple({_cut(word).lower() for word in own}) for own in words)
        self.origins += [number] * len(places)
        self.sentences.append(shown)

    def nearest(self) -> tuple[dict[str, list[int]], dict[int, list[tuple[int, int]]]]:
        """The uses of each word, and of some uses of each the nearest in other sentences.

        Neighbours are pairs of a use and the cosine in hundredths, the nearest first.
        """
        uses: dict[str, list[int]] = {}
        for i, words in enumerate(self.words):
            for word in words:
                uses.setdefault(word, []).append(i)
        asked = sorted({i for own in uses.values() for i in spread(own)})
        return uses, dict(self._nearest_to(asked))

    def _nearest_to(self, asked: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        if not self.at:
            return
        vectors = directions(np.concatenate(self.vectors))
        origins = np.array(self.origins)
        most = POOLED_NEIGHBOURS if self.kind == "word" else NEIGHBOURS
        for begin in range(0, len(asked), ROWS):
            some = np.array(asked[begin : begin + ROWS])
            near = vectors[some] @ vectors.T
            near[origins[some][:, np.newaxis] == origins] = -np.inf
            best = np.argpartition(-near, min(most, near.shape[1] - 1), axis=1)[:, :most]
            for row, (use, found) in enumerate(zip(some.tolist(), best, strict=True)):
                order = found[np.argsort(-near[row, found], kind="stable")].tolist()
                good = [j for j in order if np.isfinite(near[row, j])]
                yield use, [(j, round(100 * float(near[row, j]))) for j in good]


def _cut(token: str) -> str:
    return token if len(token) <= TOKEN else f"{token[:TOKEN]}…"


def spread(uses: Sequence[int]) -> Sequence[int]:
    """Some of a word's uses, from all over the sample."""
    return uses[:: -(-len(uses) // USES)]


def sample_of(run: Run) -> Sample | None:
    """Uses from the first parts; None if the run has no vectors in context, or keeps no tokens."""
    output = contextual_output(run)
    if run.settings.pool:
        return _pooled(run, output or run.settings.outputs[0]) if run.complete else None
    keeps_tokens = context_columns(run) if run.settings.words else "tokens" in run.columns
    if output is None or not keeps_tokens:
        return None
    sample = Sample(output, "sentence" if output == SENTENCE_OUTPUT else "token")
    parts = min(PARTS, sum(1 for _ in run.part_paths()))
    add = _add_occurrences if run.settings.words else _add_sentences
    columns = [*context_columns(run), *KEYS] if run.settings.words else ["tokens", "num_tokens"]
    tables = islice(run.tables([*dict.fromkeys([*columns, output])]), parts)
    for i, table in enumerate(tables):
        add(sample, run, table, (i + 1) * MOST // parts)
    return sample if sample.at else None


def _add_sentences(sample: Sample, run: Run, table: pa.Table, most: int) -> None:
    """Sentences from all over a part, up to so many tokens in all."""
    vectors, lengths = run.vectors(table, sample.output), np.asarray(table["num_tokens"])
    one = has_one_vector(run.settings, sample.output)
    begins = np.cumsum(lengths) - lengths
    for i in _places(int(lengths.sum()), table.num_rows, most - len(sample.at)):
        tokens = table["tokens"][i].as_py()
        if sample.full(most):
            return
        if one:
            sample.add(vectors[i : i + 1], tokens[:WHOLE], [-1], [tokens[:WHOLE]])
        else:
            own = vectors[begins[i] : begins[i] + len(tokens)]
            sample.add(own, tokens, range(len(tokens)), [[token] for token in tokens])


def _add_occurrences(sample: Sample, run: Run, table: pa.Table, most: int) -> None:
    """The same of rows that are occurrences of words."""
    vectors = run.vectors(table, sample.output)
    rows = _places(table.num_rows, table.num_rows, most - len(sample.at))
    chosen = table.take(pa.array(rows, pa.int64()))
    found = zip(rows, contexts(chosen, AROUND), chosen.select(KEYS).to_pylist(), strict=True)
    for i, (left, token, right), row in found:
        if sample.full(most):
            return
        word, *origin = row.values()
        tokens, words = [*left, token, *right], [[word, token]]
        sample.add(vectors[i : i + 1], tokens, [len(left)], words, tuple(origin))


def _places(uses: int, rows: int, most: int) -> range:
    """Rows from all over a part that have about so many of its uses."""
    return range(0, rows, max(1, -(-uses // max(most, 1))))


def _pooled(run: Run, output: str) -> Sample | None:
    """The most frequent words, each as a sentence of its own with its count."""
    sample = Sample(output, "word")
    words, counts, means = word_means(run, output)
    for i in np.argsort(-np.array(counts), kind="stable")[:MOST_POOLED].tolist():
        if sample.full(MOST_POOLED):
            break
        sample.add(means[i : i + 1], [words[i], f"({counts[i]:,})"], [0], [[words[i]]])
    return sample if sample.at else None
