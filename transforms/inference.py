"""ELMo in other people's Beam pipelines: a ModelHandler for RunInference, and for MLTransform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference

# Beam's own embeddings are built on it too; it is what reads and fills the columns.
from apache_beam.ml.transforms.base import EmbeddingsManager, _TextEmbeddingHandler

from elmo.encoded import in_order
from elmo.errors import UserError
from elmo.models import DEFAULT_MODEL, Engine, load_engine
from elmo.outputs import SENTENCE_OUTPUT
from elmo.sentences import Sentences
from transforms.settings import TOKENIZERS, Settings
from transforms.text import TextReader, check_language


@dataclass(frozen=True)
class TextModel:
    """What a worker process holds: the model, and the tokenizer before it."""

    engine: Engine
    reader: TextReader

    def vectors(self, texts: Sequence[str], output: str) -> Iterator[np.ndarray]:
        """Each text's vectors, in order: float32 [tokens, dim], or [dim] for `default`."""
        found = [self.reader.sentences(text) for text in texts]
        sentences = Sentences.from_lists([one[0].tokens if one else [] for one in found])
        vectors = in_order(self.engine.batches(sentences, [output]), sentences)[output]
        if output == SENTENCE_OUTPUT:
            yield from vectors
        else:
            yield from np.split(vectors, sentences.offsets[1:-1])


class ElmoTexts(ModelHandler[str, PredictionResult, TextModel]):
    """RunInference over texts, each taken as one sentence: PredictionResult(text, vectors).

    The vectors are float32 [tokens, dim], or [dim] for output `default`; a text without a token
    gives [0, dim], or zeros. They do not depend on the batch that Beam makes.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        output: str = SENTENCE_OUTPUT,
        *,
        tokenizer: str = "moses",
        language: str = "en",
        max_tokens: int = 5000,
        min_batch_size: int | None = None,
        max_batch_size: int | None = 2048,
    ) -> None:
        """model: a handle, which every worker must reach; output: any one that the model has.

        tokenizer, language: as `elmo-beam embed` has them, whose normalizing this does too; tokens
        beyond max_tokens are left out. Batch sizes are in texts: larger batches are quicker.
        """
        super().__init__(min_batch_size=min_batch_size, max_batch_size=max_batch_size)
        if tokenizer not in TOKENIZERS:
            raise UserError(f"tokenizer {tokenizer!r} is none of {', '.join(TOKENIZERS)}")
        if tokenizer == "moses":
            check_language(language)
        self._output = output
        self._settings = Settings(
            digest="",
            model=model,
            tokenizer=tokenizer,
            language=language,
            max_tokens=max_tokens,
            long_sentences="truncate",
        )

    def load_model(self) -> TextModel:
        """The model behind the handle; UserError where there is none."""
        s = self._settings
        return TextModel(load_engine(s.model, s.engine, s.memory), TextReader(s))

    def run_inference(
        self,
        batch: Sequence[str],
        model: TextModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """A result a text, in order."""
        for text, vectors in zip(batch, model.vectors(batch, self._output), strict=True):
            yield PredictionResult(text, vectors, self._settings.model)

    def get_num_bytes(self, batch: Sequence[str]) -> int:
        """Characters of the texts; Beam would pickle them to know."""
        return sum(map(len, batch))

    def get_metrics_namespace(self) -> str:
        """Where RunInference's metrics are found."""
        return "elmo"


class _ElmoColumns(ElmoTexts):
    """The vectors alone, as lists, which is what MLTransform puts in a column."""

    def run_inference(
        self,
        batch: Sequence[str],
        model: TextModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Any]:
        return [vectors.tolist() for vectors in model.vectors(batch, self._output)]


class ElmoEmbeddings(EmbeddingsManager):
    """For Beam's MLTransform: puts vectors in place of the text in the columns named.

    A column gets a list of floats, or with an output other than `default` a list of such lists,
    one a token. Takes the other arguments of `ElmoTexts`, `model` and `output` among them.
    """

    def __init__(self, columns: list[str], **arguments: Any) -> None:
        sizes = {name: arguments.get(name) for name in ("min_batch_size", "max_batch_size")}
        super().__init__(columns=columns, **sizes)
        self._arguments = arguments

    def get_model_handler(self) -> ModelHandler:
        """The handler that MLTransform runs."""
        return _ElmoColumns(**self._arguments)

    def get_ptransform_for_processing(self, **kwargs: Any) -> beam.PTransform:
        """RunInference over dictionaries or rows."""
        return RunInference(_TextEmbeddingHandler(self))
