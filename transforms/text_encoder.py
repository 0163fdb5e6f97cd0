"""Raw strings to vectors, without a pipeline: tokenized as the job tokenizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from elmo_beam.elmo.arguments import path_text, string_list
from elmo_beam.elmo.encoder.passes import in_order
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, StrPath, load_encoder
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, checked_outputs, output_dim
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
        self._reader = TextReader(settings)
        handle = local_handle(settings.model)
        self._encoder = load_encoder(handle, precision=precision, trust_model=trust_model)

    def dim(self, output: str = SENTENCE_OUTPUT) -> int:
        """The width of an output's vectors; ArgumentError if the model lacks it."""
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

        `default` is the output if none is named. A text without a token gives zeros, or [0, dim].
        Raises ArgumentError for an output that the model lacks, and for what is not a string.
        """
        checked_outputs(self._encoder.options, [output], "output")
        given = string_list("texts", texts)
        starts: Any = range(0, len(given), TEXTS_AT_ONCE)
        if show_progress_bar:
            from tqdm.auto import tqdm

            starts = tqdm(starts, unit_scale=TEXTS_AT_ONCE, unit="texts")
        found: list[np.ndarray] = []
        for start in starts:
            found.extend(self._vectors(given[start : start + TEXTS_AT_ONCE], output))
        return found

    def _vectors(self, texts: Sequence[str], output: str) -> Iterator[np.ndarray]:
        read = [self._reader.sentences(text) for text in texts]
        sentences = Sentences.from_lists([one[0].tokens if one else [] for one in read])
        vectors = in_order(self._encoder.passes(sentences, [output]), sentences)[output]
        if output == SENTENCE_OUTPUT:
            yield from vectors
        else:
            yield from np.split(vectors, sentences.offsets[1:-1])
