"""ELMo in other people's Beam pipelines: a ModelHandler for RunInference, and for MLTransform."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

# Beam's own embeddings are built on it too; it reads and fills the columns.
from apache_beam.ml.transforms.base import EmbeddingsManager

from elmo_beam.elmo.arguments import path_text, string_list
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, StrPath
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, check_output_names
from elmo_beam.transforms.beam_internals import text_columns_inference
from elmo_beam.transforms.text_encoder import TextEncoder, text_encoder_settings
from elmo_beam.transforms.worker_process import claim_worker_process


class ElmoTexts(ModelHandler[str, PredictionResult, TextEncoder]):
    """RunInference over texts, each one sentence: gives PredictionResult(text, vectors).

    The vectors are float32 [tokens, dim], or [dim] for output `default`; a text without a token
    gives [0, dim], or zeros. They do not depend on the batch that Beam makes.
    """

    def __init__(
        self,
        model: StrPath = DEFAULT_MODEL,
        output: str = SENTENCE_OUTPUT,
        *,
        tokenizer: str = "moses",
        language: str = "en",
        max_tokens: int = 5000,
        trust_model: bool = False,
        min_batch_size: int | None = None,
        max_batch_size: int | None = 2048,
    ) -> None:
        """Check the arguments; each worker loads the model.

        Args:
            model: a handle that every worker must reach; the model that ships inside by default.
            output: any that the model has; `default` by default.
            tokenizer: as for `TextEncoder`.
            language: as for `TextEncoder`.
            max_tokens: as for `TextEncoder`.
            trust_model: as for `TextEncoder`.
            min_batch_size: in texts.
            max_batch_size: in texts; larger batches are faster.

        Raises:
            ArgumentError: for a wrong argument.
        """
        super().__init__(min_batch_size=min_batch_size, max_batch_size=max_batch_size)
        check_output_names([output], "output")
        self._model, self._output = path_text("model", model), output
        self._arguments = {
            "tokenizer": tokenizer,
            "language": language,
            "max_tokens": max_tokens,
            "trust_model": trust_model,
        }
        text_encoder_settings(self._model, **self._arguments)  # refuse them here, not on a worker

    def load_model(self) -> TextEncoder:
        """The model behind the handle; UserError if there is none."""
        claim_worker_process()
        return TextEncoder(self._model, **self._arguments)  # type: ignore[arg-type]

    def run_inference(
        self,
        batch: Sequence[str],
        model: TextEncoder,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """One result per text, in order."""
        for text, vectors in zip(batch, model.encode(batch, self._output), strict=True):
            yield PredictionResult(text, vectors, self._model)

    def get_num_bytes(self, batch: Sequence[str]) -> int:
        """Characters of the texts; Beam would pickle them to find out."""
        return sum(map(len, batch))

    def get_metrics_namespace(self) -> str:
        """The namespace of RunInference's metrics."""
        return "elmo"


class _ElmoColumns(ElmoTexts):
    """The vectors alone, as lists, which is what MLTransform puts into a column."""

    def run_inference(
        self,
        batch: Sequence[str],
        model: TextEncoder,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Any]:
        return [vectors.tolist() for vectors in model.encode(batch, self._output)]


class ElmoEmbeddings(EmbeddingsManager):
    """For Beam's MLTransform: replaces the text in the columns named by its vectors.

    A column gets a list of floats, or, with an output other than `default`, a list of such lists,
    one per token. Takes the other arguments of `ElmoTexts`, `model` and `output` among them.
    """

    def __init__(self, columns: list[str], **arguments: Any) -> None:
        sizes = {name: arguments.get(name) for name in ("min_batch_size", "max_batch_size")}
        super().__init__(columns=string_list("columns", columns), **sizes)
        self._arguments = arguments
        self.get_model_handler()  # refuse wrong arguments here, not on a worker

    def get_model_handler(self) -> ModelHandler:
        """The handler that MLTransform runs."""
        return _ElmoColumns(**self._arguments)

    def get_ptransform_for_processing(self, **kwargs: Any) -> beam.PTransform:
        """RunInference over dictionaries or rows."""
        return text_columns_inference(self)
