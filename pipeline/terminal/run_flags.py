"""The flags of a run: every setting, for the commands that make a run or say what it would be."""

from __future__ import annotations

import argparse
from dataclasses import fields

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
from elmo_beam.pipeline.terminal.flags import (
    DEFAULTS,
    add_precision,
    add_text,
    add_trust_model,
    given,
)
from elmo_beam.transforms.files.settings import Settings, usual_block_size
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS
from elmo_beam.transforms.settings_checks import (
    DTYPES,
    PARQUET_ENCODINGS,
    check_command_settings,
)
from elmo_beam.transforms.words.finder import POOLS, WORD_CASES, WORD_KEYS


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Every setting of a run, and a file that may give them."""
    d = DEFAULTS
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="take flags that are not given from a JSON file, such as a run's run.json",
    )
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
        help="one or more, separated by commas: word_emb (the token layer), lstm_outputs1, "
        "lstm_outputs2 and so on (the LSTM layers), elmo (the mix of all layers), default (one "
        "vector per sentence) (default: elmo)",
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


def settings_of(args: argparse.Namespace) -> Settings:
    """A run's settings; ArgumentError for flags that contradict each other."""
    values = given(args, [f.name for f in fields(Settings)])
    if values["block_size"] is None:
        values["block_size"] = usual_block_size(values["words"], values["top_words"])
    settings = Settings(**values)
    check_command_settings(settings)
    return settings
