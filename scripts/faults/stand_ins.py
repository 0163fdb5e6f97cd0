"""What takes the place of the model and of Beam, which would take most of a try's time."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from elmo_beam.elmo.encoder.passes import Encoded
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.count_words import CountTokens, TopWords, WriteTopWords
from elmo_beam.transforms.embed_shards import EmbedShards
from elmo_beam.transforms.steps import ElmoHandler, PlanShards, ReadSentences, WriteBlocks
from elmo_beam.transforms.top_words import most_frequent


class PlainEncoder:
    """In place of the model: vectors that are right only at their own token of their sentence."""

    def __init__(self, options: ModelOptions) -> None:
        self.options = options

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """Two passes, every other sentence in each, as `Encoder.passes` gives them."""
        for rows in (np.arange(0, len(sentences), 2), np.arange(1, len(sentences), 2)):
            own = sentences.take(rows)
            texts = [
                [own.vocabulary[i] for i in own.ids[begin:end]]
                for begin, end in zip(own.offsets[:-1], own.offsets[1:], strict=True)
            ]
            found = {}
            for name in outputs:
                dim = output_dim(self.options, name)
                arrays = [plain_vectors(tokens, name, dim) for tokens in texts]
                found[name] = np.concatenate([np.empty((0, dim), np.float32), *arrays])
            yield Encoded(rows, found, 2 * len(own.ids), 2 * len(own.ids), len(own.ids), 0)


def plain_vectors(tokens: Sequence[str], name: str, dim: int) -> np.ndarray:
    """float32 [tokens, dim], or [1, dim] for `default`."""
    if name == SENTENCE_OUTPUT:
        return plain_vectors([" ".join(tokens)], "", dim)
    seeds = [zlib.crc32(f"{name} {i} {len(tokens)} {t}".encode()) for i, t in enumerate(tokens)]
    return np.sin(np.outer(seeds, np.arange(1, dim + 1)) % 1e4).astype(np.float32)


class PlainPipeline:
    """The steps of a transform one after the other: reading and writing have their threads."""

    def __init__(self, options: object) -> None:
        self._given: list[Any] = []

    def __or__(self, named: Any) -> PlainPipeline:
        """Take the paths, then the transform."""
        self._given.append(named.transform)
        return self

    def run(self) -> PlainPipeline:
        """Do it; what a step raises comes out as it is."""
        paths, job = self._given
        if isinstance(job, TopWords):
            return self._counted(paths.values, job)
        assert isinstance(job, EmbedShards)
        where = job._layout, job._settings
        planner, reader, writer = PlanShards(*where), ReadSentences(*where), WriteBlocks(*where)
        handler = ElmoHandler(job._settings)
        planner.setup()
        spans = [span for path in paths.values for span in planner.process(path)]
        model = handler.load_model()
        reader.setup()
        writer.setup()
        writer.start_bundle()
        try:
            for span in spans:
                for block in reader.process(span):
                    for embedded in handler.run_inference(block, model):
                        list(writer.process(embedded))
            list(writer.finish_bundle())
        finally:
            writer.teardown()
        return self

    def _counted(self, paths: Sequence[str], job: TopWords) -> PlainPipeline:
        layout, settings = job._layout, job._settings
        planner, counter = PlanShards(layout, settings), CountTokens(layout, settings)
        planner.setup()
        counter.setup()
        counts: Counter[str] = Counter()
        for path in paths:
            for span in planner.process(path):
                counts.update(dict(counter.process(span)))
        words = most_frequent(counts, settings.top_words or 0)
        list(WriteTopWords(layout).process([(word, counts[word]) for word in words]))
        return self

    def wait_until_finish(self) -> None:
        """It is finished."""

    def metrics(self) -> object:
        """There are none."""
        raise NotImplementedError


class AlwaysDue:
    """In place of a training's clock: there is a checkpoint after every step."""

    def __init__(self, share: float, cost: float) -> None:
        pass

    def done(self, began: float) -> None:
        """It is due again."""
