"""Flags that several commands share. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
from typing import Any

from elmo_beam.elmo.encoder.precision import PRECISIONS
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.pipeline.terminal.flag_types import (
    count,
    path,
)
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.settings_checks import (
    LONG_SENTENCES,
    NORMALIZATIONS,
    check_text_settings,
)
from elmo_beam.transforms.text.tokenizers import TOKENIZERS

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
        ".conllu, .fasta, all also as .gz, .bz2, .zst; .parquet (required)",
    )
    parser.add_argument("--output", type=path, metavar="DIR", help="the output folder (required)")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The output folder of a run, for commands that look at one."""
    parser.add_argument("output", type=path, metavar="DIR", help="the run's output folder")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """--quiet, for commands that show progress."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")


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


def text_settings_of(args: argparse.Namespace) -> Settings:
    """Settings with what the flags say of text, for commands that make no run."""
    settings = Settings(**given(args, TEXT_FLAGS))
    check_text_settings(settings)
    return settings


def given(args: argparse.Namespace, names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """The values of the flags among some names."""
    return {name: getattr(args, name) for name in names if hasattr(args, name)}
