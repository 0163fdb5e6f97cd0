"""The pipeline that counts the most frequent tokens of an input, before they are pooled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import apache_beam as beam

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.normalize import normalize_block
from elmo_beam.transforms.packs import PackSpan
from elmo_beam.transforms.plan import Span
from elmo_beam.transforms.read import read_span
from elmo_beam.transforms.steps import PlanShards
from elmo_beam.transforms.text.reader import TextReader
from elmo_beam.transforms.top_words import by_rank, token_counts, without_pool, write_top_words
from elmo_beam.transforms.worker_errors import user_errors_marked


class TopWords(beam.PTransform):
    """Paths of text shards to the `top_words` most frequent tokens; gives where they are written.

    Everything is read and tokenized as for embedding, on the pipeline's own workers, and the plans
    made here are those of the run. Of tokens that are equally frequent the lesser comes first.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        super().__init__()
        self._layout, self._settings = layout, settings

    def expand(self, paths: beam.PCollection[str]) -> beam.PCollection[str]:
        """The graph."""
        layout, settings = self._layout, self._settings
        assert settings.top_words is not None
        return (
            paths
            | "SpreadShards" >> beam.Reshuffle()
            | "PlanShards" >> beam.ParDo(PlanShards(layout, settings))
            | "SpreadSpans" >> beam.Reshuffle()
            | "CountTokens" >> beam.ParDo(CountTokens(layout, settings))
            | "Add" >> beam.CombinePerKey(sum)
            | "Top" >> beam.combiners.Top.Smallest(settings.top_words, key=by_rank)
            | "Write" >> beam.ParDo(WriteTopWords(layout))
        )


class CountTokens(beam.DoFn):
    """Spans of blocks to the tokens in them, each with how often it occurs there."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, without_pool(settings)

    def setup(self) -> None:
        self._reader = TextReader(self._settings)

    def process(self, span: Span | PackSpan) -> Iterator[tuple[str, int]]:
        counts: Counter[str] = Counter()
        with user_errors_marked():
            for raw in read_span(self._layout, span, self._settings, again=True):
                block = normalize_block(raw, self._reader, self._settings)
                counts.update(token_counts(block, self._settings))
        yield from counts.items()


class WriteTopWords(beam.DoFn):
    """The words and their counts to the run's file of them, and on to its path."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def process(self, words: list[tuple[str, int]]) -> Iterator[str]:
        with user_errors_marked():
            yield write_top_words(words, self._layout)
