"""The steps of the job, as Beam runs them: they only wire the functions beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.transforms.window import GlobalWindows

from elmo.models import Engine, load_engine
from transforms.accounts import Accounts
from transforms.embed import EmbeddedBlock, embed_block
from transforms.layout import Layout
from transforms.normalize import SentenceBlock, normalize_block
from transforms.plan import Span, plan_shard, spans_of
from transforms.read import read_span
from transforms.settings import Settings
from transforms.text import TextReader
from transforms.write import write_block

T = TypeVar("T")


class PlanShards(beam.DoFn):
    """Shard paths to spans of blocks; writes each shard's plan for the command to read."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def process(self, path: str) -> Iterator[Span]:
        yield from spans_of(plan_shard(self._layout, path, self._settings))


class ReadSentences(beam.DoFn):
    """Spans to blocks of normalized and tokenized sentences, less those that are done already.

    While one block is in the model, a thread makes the next.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def setup(self) -> None:
        self._reader = TextReader(self._settings)

    def process(self, span: Span) -> Iterator[SentenceBlock]:
        raw_blocks = read_span(self._layout, span, self._settings)
        yield from ahead(normalize_block(raw, self._reader, self._settings) for raw in raw_blocks)


class ElmoHandler(ModelHandler[SentenceBlock, EmbeddedBlock, Engine]):
    """RunInference over blocks: Beam shares the one model a process has, and keeps the metrics.

    A block is a batch already, so Beam's own batching is skipped, and the handler gets the block
    itself in place of a list.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def load_model(self) -> Engine:
        """The run's model; UserError where it is not the one that the command saw."""
        s = self._settings
        options = s.model_options
        return load_engine(s.model, s.engine, s.memory, options, s.digest, s.precision)

    def run_inference(
        self,
        batch: Sequence[SentenceBlock] | SentenceBlock,
        model: Engine,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[EmbeddedBlock]:
        """One block in, one block out."""
        assert isinstance(batch, SentenceBlock)
        return [embed_block(batch, model, self._settings)]

    def get_num_bytes(self, batch: Sequence[SentenceBlock] | SentenceBlock) -> int:
        """Bytes of the sentences; Beam would pickle them to know."""
        assert isinstance(batch, SentenceBlock)
        return int(batch.sentences.nbytes)

    def get_metrics_namespace(self) -> str:
        """Where RunInference's metrics are found."""
        return "elmo"

    def should_skip_batching(self) -> bool:
        """A block is a batch."""
        return True


class WriteBlocks(beam.DoFn):
    """Embedded blocks to part files, and on to their accounts.

    While one block is written in a thread, the next is in the model. A bundle ends when its last
    block is written, so a block that a runner takes for done is on the disk.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def setup(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def start_bundle(self) -> None:
        self._written: Future[Accounts] | None = None

    def process(self, embedded: EmbeddedBlock) -> Iterator[Accounts]:
        if self._written is not None:  # so at most one block waits to be written
            yield self._written.result()
        self._written = self._thread.submit(write_block, self._layout, self._settings, embedded)

    def finish_bundle(self) -> Iterator[Any]:
        if self._written is not None:
            yield GlobalWindows.windowed_value(self._written.result())

    def teardown(self) -> None:
        self._thread.shutdown()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a thread while the one before is in use."""
    end: Any = object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item
