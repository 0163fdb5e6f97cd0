"""`elmo-beam export`: the words of a pooled run as a text file that others read."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flag_types import path
from elmo_beam.pipeline.terminal.flags import add_run, required
from elmo_beam.pipeline.terminal.stopping import Stopper

FORMATS = ("word2vec", "glove")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The run, the file, its format, and which of the run's outputs."""
    add_run(parser)
    parser.add_argument(
        "--output", dest="file", type=path, metavar="FILE", help="the text file to write"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="word2vec",
        help="glove: the same without word2vec's first line, words and width (default: word2vec)",
    )
    parser.add_argument(
        "--vectors", metavar="NAME", help="which of the outputs, if the run has several"
    )


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Write the file."""
    required(args, "file")

    from elmo_beam.pipeline.job.export import export

    say(export(args.output, args.file, args.format, args.vectors))
    return 0


COMMAND = Command(
    summary="write a pooled run's words as word2vec or GloVe text",
    description="Write the mean vector of each word of a pooled run (embed --pool word), one a "
    "line, as word2vec or GloVe text.",
    examples=(
        (
            "word2vec text, which gensim's KeyedVectors load",
            "elmo-beam export words --output vectors.txt",
        ),
        (
            "GloVe text, for AllenNLP and others",
            "elmo-beam export words --output vectors.txt --format glove",
        ),
        (
            "of another output than the first",
            "elmo-beam export words --output vectors.txt --vectors lstm_outputs1",
        ),
    ),
    add_flags=add_flags,
    run=run,
)
