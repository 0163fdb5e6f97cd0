"""Flags that several commands share. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from elmo_beam.elmo.encoder.precision import PRECISIONS
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.formats.handles import ENCODERS
from elmo_beam.pipeline.terminal.flag_types import (
    count,
    count_from_zero,
    field_list,
    outputs,
    path,
    size,
    word_list,
)
from elmo_beam.transforms.files.settings import Settings, usual_block_size
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS
from elmo_beam.transforms.settings_checks import (
    DTYPES,
    LONG_SENTENCES,
    NORMALIZATIONS,
    PARQUET_ENCODINGS,
    check_command_settings,
    check_text_settings,
)
from elmo_beam.transforms.text.tokenizers import TOKENIZERS
from elmo_beam.transforms.words.finder import POOLS, WORD_CASES, WORD_KEYS

DEFAULTS = Settings()
TEXT_FLAGS = (
    "normalize",
    "tokenizer",
    "language",
    "split_sentences",
    "max_tokens",
    "long_sentences",
    "text_field",
    "text_column",
)


def add_inputs(parser: argparse.ArgumentParser, what: str) -> None:
    """--input, which may be repeated."""
    parser.add_argument(
        "--input",
        dest="inputs",
        action="append",
        default=[],
        type=path,
        metavar="FILE",
        help=what,
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """--input and --output of a run."""
    add_inputs(
        parser,
        "a file or quoted glob, local or a URL; repeat it for more. Text, .jsonl, .csv, .tsv, "
        ".conllu, .fasta, all also as .gz, .bz2, .zst; .parquet",
    )
    parser.add_argument("--output", type=path, metavar="DIR", help="the output folder")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The output folder of a run, for commands that look at one."""
    parser.add_argument("output", type=path, metavar="DIR", help="the run's output folder")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Every setting of a run."""
    d = DEFAULTS
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        type=path,
        default=d.model,
        metavar="HANDLE",
        help="any published ELMo as it was downloaded: a folder, an archive, *.hdf5, or the URL of "
        "one; or default, the model inside (default: default)",
    )
    add_trust_model(model)
    model.add_argument(
        "--encoder",
        choices=ENCODERS,
        default=d.encoder,
        help="module: run a TF-Hub module itself, slowly, for checking; allennlp: native, but "
        "tokens <S> and </S> are the boundaries of a sentence (default: native)",
    )
    add_precision(model)
    model.add_argument(
        "--memory",
        type=size,
        default=d.memory,
        metavar="SIZE",
        help="memory for the vectors of one pass through the model (default: 1GiB)",
    )
    written = parser.add_argument_group("output")
    written.add_argument(
        "--outputs",
        type=outputs,
        default=d.outputs,
        metavar="NAMES",
        help="any of word_emb, lstm_outputs1, …, elmo, default; separated by commas "
        "(default: elmo)",
    )
    written.add_argument(
        "--format",
        choices=tuple(OUTPUT_FORMATS),
        default=d.format,
        help="file format of the parts (default: parquet)",
    )
    written.add_argument(
        "--dtype", choices=DTYPES, default=d.dtype, help="type of the vectors (default: float32)"
    )
    written.add_argument(
        "--parquet_encoding",
        choices=PARQUET_ENCODINGS,
        default=d.parquet_encoding,
        help="plain: larger, for Spark and older readers (default: byte_stream_split)",
    )
    written.add_argument(
        "--words",
        type=word_list,
        default=d.words,
        metavar="FILE",
        help="write only the occurrences of these words, one on each line; one of several tokens "
        "separated by spaces is their sequence",
    )
    written.add_argument(
        "--word_case",
        choices=WORD_CASES,
        default=d.word_case,
        help="fold: upper and lower case are the same (default: exact)",
    )
    written.add_argument(
        "--word_key",
        choices=WORD_KEYS,
        default=d.word_key,
        help="what --words holds: forms, or from CoNLL-U lemmas, or either with the UPOS, as in "
        "bank/NOUN (default: form)",
    )
    written.add_argument(
        "--context",
        type=count_from_zero,
        metavar="N",
        help="with --words: keep N tokens on either side of an occurrence, not its sentence",
    )
    written.add_argument(
        "--pool",
        choices=POOLS,
        help="word: write only the mean and variance of each word's vectors, to words.parquet",
    )
    written.add_argument(
        "--top_words",
        type=count,
        metavar="N",
        help="with --pool, instead of --words: the N most frequent tokens of the input",
    )
    written.add_argument(
        "--pad_to", type=count, metavar="N", help="pad tokens and vectors to N (TFRecord only)"
    )
    written.add_argument(
        "--block_size",
        type=size,
        metavar="SIZE",
        help="text per part file (default: 256k; of a run of words 2M)",
    )
    text = add_text(parser)
    text.add_argument(
        "--id_field",
        metavar="NAME",
        help="a JSON field, a column or a CoNLL-U comment, such as sent_id, to copy to column id; "
        "for FASTA any name: the header's first word",
    )
    text.add_argument(
        "--limit", type=count, metavar="N", help="only the first N lines of each file, for a look"
    )
    text.add_argument(
        "--keep_fields",
        type=field_list,
        default=d.keep_fields,
        metavar="NAMES",
        help="JSON fields or columns to copy, separated by commas; with types, as in "
        "label:int64,meta.year:int16 (default: strings, or as Parquet has them)",
    )


def add_trust_model(parser: argparse._ActionsContainer) -> None:
    """--trust_model, for commands that take a model's handle."""
    parser.add_argument(
        "--trust_model",
        action="store_true",
        help="let a TF-Hub module's graph run whatever its ops do (default: harmless ops only)",
    )


def add_precision(parser: argparse._ActionsContainer) -> None:
    """--precision of the LSTMs."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=DEFAULTS.precision,
        help="bfloat16: faster; vectors within 1%% of float32 on ordinary text (default: float32)",
    )


def add_text(
    parser: argparse.ArgumentParser, max_tokens: int | None = None
) -> argparse._ArgumentGroup:
    """What is done to text before the model. max_tokens: a default of the command's own."""
    d = DEFAULTS
    text = parser.add_argument_group("text")
    text.add_argument(
        "--normalize",
        choices=NORMALIZATIONS,
        default=d.normalize,
        help="normalization (default: nfc)",
    )
    text.add_argument(
        "--tokenizer",
        choices=tuple(TOKENIZERS),
        default=d.tokenizer,
        help="whitespace: the text is tokenized already (default: moses)",
    )
    text.add_argument(
        "--language",
        default=d.language,
        metavar="CODE",
        help="for moses and splitting (default: en)",
    )
    text.add_argument("--split_sentences", action="store_true", help="cut lines into sentences")
    text.add_argument(
        "--max_tokens",
        type=count,
        default=max_tokens,
        metavar="N",
        help=f"longest sentence, in tokens (default: {max_tokens or '5000, for FASTA 50000'})",
    )
    text.add_argument(
        "--long_sentences",
        choices=LONG_SENTENCES,
        default=d.long_sentences,
        help="what to do with sentences of more than --max_tokens (default: %(default)s)",
    )
    text.add_argument(
        "--text_field",
        default=d.text_field,
        metavar="NAME",
        help="JSON field that holds the text (default: text)",
    )
    text.add_argument(
        "--text_column",
        default=d.text_column,
        metavar="NAME",
        help="column that holds the text in Parquet, CSV and TSV (default: text)",
    )
    return text


def required(args: argparse.Namespace, *names: str) -> None:
    """Raises ArgumentError for a flag that is missing.

    This is not left to argparse, which would name --output where --ouput is the mistake.
    """
    what = {"inputs": "a file or a quoted glob", "output": "a folder", "file": "a file"}
    for name in names:
        if not getattr(args, name):
            raise ArgumentError(f"`{name}` is missing: name {what[name]}")


def settings_of(args: argparse.Namespace) -> Settings:
    """A run's settings; ArgumentError for flags that contradict each other."""
    given = _given(args, [f.name for f in fields(Settings)])
    if given["block_size"] is None:
        given["block_size"] = usual_block_size(given["words"], given["top_words"])
    settings = Settings(**given)
    check_command_settings(settings)
    return settings


def text_settings_of(args: argparse.Namespace) -> Settings:
    """Settings with what the flags say of text, for commands that make no run."""
    settings = Settings(**_given(args, TEXT_FLAGS))
    check_text_settings(settings)
    return settings


def _given(args: argparse.Namespace, names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if hasattr(args, name)}
