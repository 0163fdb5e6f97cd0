"""Settings, checked before anything starts, and completed with what their model says."""

from __future__ import annotations

import os
from dataclasses import replace

from elmo_beam.elmo.arguments import (
    check_bool,
    check_choice,
    check_count,
    check_text,
    path_text,
)
from elmo_beam.elmo.encoder.precision import PRECISIONS
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, ENCODERS, read_weights
from elmo_beam.elmo.model.outputs import check_output_names, checked_outputs
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import MAX_TOKENS, Settings
from elmo_beam.transforms.models import local_handle
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS, output_format
from elmo_beam.transforms.text.tokenizers import TOKENIZERS, check_language
from elmo_beam.transforms.words.finder import POOLS, WORD_CASES, WORD_KEYS, checked_words

NORMALIZATIONS = ("nfc", "none")
LONG_SENTENCES = ("reject", "truncate", "split")
DTYPES = ("float32", "float16")
PARQUET_ENCODINGS = ("byte_stream_split", "plain")


def check_settings(settings: Settings) -> None:
    """Raises ArgumentError for a value that a setting cannot have, and for a contradiction.

    Reads no file and no model.
    """
    s = settings
    if not isinstance(s, Settings):
        raise ArgumentError(f"`settings` {s!r} must be Settings")
    check_text_settings(s)
    path_text("model", s.model)
    check_bool("trust_model", s.trust_model)
    check_output_names(s.outputs)
    check_choice("encoder", s.encoder, ENCODERS)
    check_choice("precision", s.precision, PRECISIONS)
    check_choice("format", s.format, tuple(OUTPUT_FORMATS))
    check_choice("dtype", s.dtype, DTYPES)
    check_choice("parquet_encoding", s.parquet_encoding, PARQUET_ENCODINGS)
    check_count("memory", s.memory)
    check_count("block_size", s.block_size)
    if s.encoder == "module" and s.precision != "float32":
        raise ArgumentError(f"`precision` {s.precision} is for `encoder` native")
    chosen = output_format(s.format)
    if s.dtype not in chosen.dtypes:
        raise ArgumentError(
            f"`dtype` {s.dtype} is not for `format` {s.format}, which keeps "
            f"{' or '.join(chosen.dtypes)}"
        )
    if s.parquet_encoding == "plain" and s.format != "parquet":
        raise ArgumentError(f"`parquet_encoding` plain is for `format` parquet, not {s.format}")
    if s.limit is not None:
        check_count("limit", s.limit)
    check_word_settings(s)
    if s.pad_to is not None:
        check_count("pad_to", s.pad_to)
        if not chosen.pads:
            padding = [name for name in OUTPUT_FORMATS if output_format(name).pads]
            raise ArgumentError(
                f"`pad_to` is not for `format` {s.format}, which keeps sentences ragged: use "
                f"`format` {' or '.join(padding)}"
            )
        most = s.max_tokens or MAX_TOKENS
        if most > s.pad_to:
            raise ArgumentError(
                f"`pad_to` {s.pad_to} is less than `max_tokens` {most}: make `max_tokens` "
                "no larger than `pad_to`"
            )


def check_word_settings(settings: Settings) -> None:
    """The part of `check_settings` that concerns runs of words."""
    s = settings
    check_choice("word_case", s.word_case, WORD_CASES)
    check_choice("word_key", s.word_key, WORD_KEYS)
    if s.word_key != "form" and not s.words:
        raise ArgumentError(f"`word_key` {s.word_key} is for a run of words: give `words` too")
    if s.word_case != "exact" and not s.words and s.top_words is None:
        raise ArgumentError(f"`word_case` {s.word_case} is for a run of words: give `words` too")
    if s.words and s.words != checked_words(s.words):
        raise ArgumentError("`words` must be normalized, each once: see transforms.words.finder")
    if s.words and not s.pool and s.pad_to is not None:
        raise ArgumentError("`pad_to` is for whole sentences, and `words` takes single words")
    if s.pool is not None:
        _check_pool(s)
    elif s.top_words is not None:
        raise ArgumentError("`top_words` are the words of `pool` word: give that too")
    if s.context is not None:
        check_count("context", s.context, least=0)
        if not s.words:
            raise ArgumentError("`context` is around the occurrences of `words`: give those too")
        if s.format != "parquet":
            raise ArgumentError(
                f"`context` is for `format` parquet: {s.format} keeps no tokens of a run of words"
            )


def _check_pool(settings: Settings) -> None:
    s = settings
    check_choice("pool", s.pool, POOLS)
    if s.top_words is not None:
        check_count("top_words", s.top_words)
    elif not s.words:
        raise ArgumentError("`pool` needs a list of words: give `words` or `top_words`")
    if s.format != "parquet":
        raise ArgumentError(f"`pool` is for `format` parquet, not {s.format}")
    for name in ("context", "id_field", "pad_to", "keep_fields"):
        if getattr(s, name) not in (None, ()):
            raise ArgumentError(
                f"`{name}` has no effect with `pool`, which keeps a row for each word: leave it out"
            )
    if s.dtype != "float32":
        raise ArgumentError(
            f"`dtype` {s.dtype} has no effect with `pool`, whose sums are float64 and means "
            "float32: leave it out"
        )


def check_command_settings(settings: Settings) -> None:
    """`check_settings` for those that a command is given: `top_words` are not counted yet."""
    check_settings(settings)
    if settings.words and settings.top_words is not None:
        raise ArgumentError("`words` and `top_words` are two lists: give one of them")


def check_text_settings(settings: Settings) -> None:
    """The part of `check_settings` that concerns text, for commands that write no vectors."""
    s = settings
    for name in ("language", "text_field", "text_column"):
        check_text(name, getattr(s, name))
    if s.id_field is not None:
        check_text("id_field", s.id_field)
    if s.keep_fields:  # types are Arrow's, which --help does without
        from elmo_beam.transforms.inputs.fields import checked_fields

        checked_fields(s.keep_fields)
    check_bool("split_sentences", s.split_sentences)
    check_choice("normalize", s.normalize, NORMALIZATIONS)
    check_choice("tokenizer", s.tokenizer, tuple(TOKENIZERS))
    check_choice("long_sentences", s.long_sentences, LONG_SENTENCES)
    if s.max_tokens is not None:
        check_count("max_tokens", s.max_tokens)
    if s.tokenizer == "moses" and s.language != "en":
        check_language(s.language)


def resolved(settings: Settings) -> Settings:
    """The settings with their model's digest and options, and the outputs in its order.

    Raises UserError if the model cannot be read, or ArgumentError if it lacks an output.
    """
    model = settings.model
    if model != DEFAULT_MODEL and not is_remote(model):
        model = os.path.abspath(model)
    weights = read_weights(local_handle(model), settings.encoder, trust_model=settings.trust_model)
    return replace(
        settings,
        model=model,
        outputs=tuple(checked_outputs(weights.options, settings.outputs)),
        digest=weights.digest,
        options=weights.options.to_json(),
    )
