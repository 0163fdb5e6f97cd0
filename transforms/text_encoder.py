"""Raw strings to vectors, without a pipeline: tokenized as the job tokenizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from elmo_beam.elmo.arguments import check_string, check_text, items_of, path_text, string_list
from elmo_beam.elmo.encoder.passes import in_order
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, StrPath, load_encoder
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, checked_outputs, output_dim
from elmo_beam.elmo.progress_bar import progress_bar
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.models import local_handle
from elmo_beam.transforms.settings_checks import check_settings
from elmo_beam.transforms.text.reader import TextReader

TEXTS_AT_ONCE = 2048


def text_encoder_settings(model: StrPath, **given: Any) -> Settings:
    """The settings of a TextEncoder; ArgumentError for one that cannot be."""
    settings = Settings(model=path_text("model", model), long_sentences="truncate", **given)
    check_settings(settings)
    return settings


class TextEncoder:
    """A model and the tokenizer in front of it.

    Each text is one sentence. Its vectors do not depend on what is encoded with it, within 1e-5.
    """

    def __init__(
        self,
        model: StrPath = DEFAULT_MODEL,
        *,
        tokenizer: str = "moses",
        language: str = "en",
        max_tokens: int = 5000,
        precision: str = "float32",
        trust_model: bool = False,
    ) -> None:
        """Load the model, which takes some seconds.

        Args:
            model: a handle, as for `load_encoder`; the model that ships inside by default.
            tokenizer: "moses", for `language`, or "whitespace".
            language: a code, for Moses.
            max_tokens: of a text; those beyond it are left out.
            precision: "float32" or "bfloat16".
            trust_model: let a module's graph run whatever its ops do.

        Raises:
            UserError: if the model cannot be read.
            ArgumentError: for a wrong argument.
        """
        settings = text_encoder_settings(
            model,
            tokenizer=tokenizer,
            language=language,
            max_tokens=max_tokens,
            precision=precision,
            trust_model=trust_model,
        )
        self._settings, self._reader = settings, TextReader(settings)
        handle = local_handle(settings.model)
        self._encoder = load_encoder(handle, precision=precision, trust_model=trust_model)

    def __repr__(self) -> str:
        s = self._settings
        return f"TextEncoder({s.model!r}, tokenizer={s.tokenizer!r}, precision={s.precision!r})"

    def dim(self, output: str = SENTENCE_OUTPUT) -> int:
        """The width of an output's vectors; ArgumentError if the model lacks it."""
        check_text("output", output)
        checked_outputs(self._encoder.options, [output], "output")
        return output_dim(self._encoder.options, output)

    def encode(
        self,
        texts: Iterable[str],
        output: str = SENTENCE_OUTPUT,
        *,
        show_progress_bar: bool = False,
    ) -> list[np.ndarray]:
        """One array per text, in order: float32 [dim] for `default`, else [tokens, dim].

        texts: a list, or a column of a pandas, polars or Arrow table. A text without a token gives
        zeros, or [0, dim]. Beside the arrays themselves, memory does not grow with the texts; where
        they are too many to keep, use `stream`. Raises ArgumentError for an output that the model
        lacks, and for what is not a string.
        """
        given = string_list("texts", texts)
        return list(self.stream(given, output, show_progress_bar=show_progress_bar))

    def stream(
        self,
        texts: Iterable[str],
        output: str = SENTENCE_OUTPUT,
        *,
        show_progress_bar: bool = False,
    ) -> Iterator[np.ndarray]:
        """The arrays of `encode` one after another, of any iterable: a generator, an open file.

        Texts are taken 2,048 at a time.
        """
        self.dim(output)
        items = items_of("texts", texts)
        total = len(texts) if isinstance(texts, Sized) else None
        bar = progress_bar(total=total, unit=" texts", disable=not show_progress_bar)
        return self._stream(items, output, bar)

    def _stream(self, texts: Iterator[str], output: str, bar: Any) -> Iterator[np.ndarray]:
        done = 0
        with bar:
            while some := list(islice(texts, TEXTS_AT_ONCE)):
                for i, text in enumerate(some, done):
                    check_string("texts", i, text)
                yield from self._vectors(some, output)
                done += len(some)
                bar.update(len(some))

    def _vectors(self, texts: Sequence[str], output: str) -> Iterator[np.ndarray]:
        read = [self._reader.sentences(text) for text in texts]
        sentences = Sentences.from_lists([one[0].tokens if one else [] for one in read])
        vectors = in_order(self._encoder.passes(sentences, [output]), sentences)[output]
        if output == SENTENCE_OUTPUT:
            yield from vectors
        else:
            yield from np.split(vectors, sentences.offsets[1:-1])
