"""The steps of the job as Beam runs them: they only wire the functions of the other modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.transforms.window import GlobalWindows

from elmo_beam.elmo.encoder.passes import SentenceEncoder
from elmo_beam.elmo.encoder.sentence_cache import SentenceCache
from elmo_beam.elmo.formats.handles import load_sentence_encoder
from elmo_beam.transforms.accounts import Accounts
from elmo_beam.transforms.activity import WatchedEncoder, finished, loading
from elmo_beam.transforms.embed import EmbeddedBlock, embed_block
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.models import local_handle
from elmo_beam.transforms.normalize import SentenceBlock, normalize_block
from elmo_beam.transforms.packs import PackSpan, packs_by_file, plan_pack
from elmo_beam.transforms.plan import Span, plan_shard, spans_of
from elmo_beam.transforms.read import read_span
from elmo_beam.transforms.text.reader import TextReader
from elmo_beam.transforms.worker_errors import user_errors_marked
from elmo_beam.transforms.worker_process import claim_worker_process
from elmo_beam.transforms.write import write_block

T = TypeVar("T")


class PlanShards(beam.DoFn):
    """Shard paths to spans of blocks; writes each shard's plan for the command to read.

    A pack is planned and read as one, in the place of its first file.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def setup(self) -> None:
        with user_errors_marked():
            self._packs = packs_by_file(self._layout)

    def process(self, path: str) -> Iterator[Span | PackSpan]:
        pack = self._packs.get(path)
        with user_errors_marked():
            if pack is None:
                yield from spans_of(plan_shard(self._layout, path, self._settings))
            elif pack.plans[0].shard.path == path:
                plan_pack(self._layout, pack.stem, self._settings)
                yield PackSpan(pack.stem)


class ReadSentences(beam.DoFn):
    """Spans to blocks of normalized and tokenized sentences, without those that are done already.

    While one block is in the model, a thread makes the next.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def setup(self) -> None:
        self._reader = TextReader(self._settings)

    def process(self, span: Span | PackSpan) -> Iterator[SentenceBlock]:
        raw_blocks = read_span(self._layout, span, self._settings)
        blocks = (normalize_block(raw, self._reader, self._settings) for raw in raw_blocks)
        with user_errors_marked():
            yield from prefetched(blocks)


class ElmoHandler(ModelHandler[SentenceBlock, EmbeddedBlock, SentenceEncoder]):
    """RunInference over blocks: Beam shares one model per process, and keeps the metrics.

    A block is a batch already, so Beam's own batching is skipped, and the handler gets the block
    itself instead of a list.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def load_model(self) -> SentenceEncoder:
        """The run's model; WorkerError if it is not the one that the command saw."""
        claim_worker_process()
        s = self._settings
        with user_errors_marked(), loading():
            encoder = load_sentence_encoder(
                local_handle(s.model),
                s.encoder,
                s.memory,
                s.model_options,
                s.digest,
                s.precision,
                s.trust_model,
            )
        return SentenceCache(encoder, s.memory)

    def run_inference(
        self,
        batch: Sequence[SentenceBlock] | SentenceBlock,
        model: SentenceEncoder,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[EmbeddedBlock]:
        """One block in, one block out."""
        assert isinstance(batch, SentenceBlock)
        with user_errors_marked():
            return [embed_block(batch, WatchedEncoder(model, batch), self._settings)]

    def get_num_bytes(self, batch: Sequence[SentenceBlock] | SentenceBlock) -> int:
        """Bytes of the sentences; Beam would pickle them to find out."""
        assert isinstance(batch, SentenceBlock)
        return int(batch.sentences.nbytes)

    def get_metrics_namespace(self) -> str:
        """The namespace of RunInference's metrics."""
        return "elmo"

    def should_skip_batching(self) -> bool:
        """A block is a batch."""
        return True


class WriteBlocks(beam.DoFn):
    """Embedded blocks to part files, and on to their accounts.

    While one block is written in a thread, the next is in the model. A bundle ends when its last
    block is written, so a block that a runner considers done is on the disk.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout, self._settings = layout, settings

    def setup(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def start_bundle(self) -> None:
        self._written: Future[Accounts] | None = None

    def process(self, embedded: EmbeddedBlock) -> Iterator[Accounts]:
        if self._written is not None:  # so at most one block waits to be written
            yield self._result(self._written)
        self._written = self._thread.submit(self._write, embedded)

    def finish_bundle(self) -> Iterator[Any]:
        if self._written is not None:
            yield GlobalWindows.windowed_value(self._result(self._written))

    def _write(self, embedded: EmbeddedBlock) -> Accounts:
        accounts = write_block(self._layout, self._settings, embedded)
        finished(embedded.block)
        return accounts

    @staticmethod
    def _result(written: Future[Accounts]) -> Accounts:
        with user_errors_marked():
            return written.result()

    def teardown(self) -> None:
        self._thread.shutdown()


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a thread while the one before it is in use."""
    end: Any = object()
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = thread.submit(next, items, end)
            yield item
