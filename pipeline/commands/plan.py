"""`elmo-beam plan`: what a run would do, without running it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import complain, say
from elmo_beam.pipeline.terminal.flag_types import number
from elmo_beam.pipeline.terminal.flags import add_files, required
from elmo_beam.pipeline.terminal.run_flags import add_settings, settings_of
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Those of `embed`, and a rate."""
    add_files(parser)
    add_settings(parser)
    # Accepted and ignored, so that a command line of `embed` need not be edited.
    for flag in ("--overwrite", "--quiet", "--verbose"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--rate", type=number, metavar="N", help="tokens per second, to say how long it would take"
    )


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """1 if a file is damaged or cannot be read."""
    required(args, "inputs")
    settings = settings_of(args)

    from elmo_beam.pipeline.job.forecast import described, forecast_of, most_frequent_words
    from elmo_beam.pipeline.terminal.inputs import input_files
    from elmo_beam.transforms.kept_fields import with_field_types
    from elmo_beam.transforms.settings_checks import resolved

    paths = input_files(args.inputs, args.output)
    settings = with_field_types(resolved(settings), paths, None)
    if settings.top_words is not None:
        settings = replace(settings, words=most_frequent_words(paths, settings))
    forecast = forecast_of(paths, settings)
    say(*described(forecast, settings, args.rate))
    for line in forecast.problems:
        complain(line)
    return 1 if forecast.problems else 0


COMMAND = Command(
    summary="estimate a run without embedding",
    description="Read and tokenize the input, and estimate what embed with these flags would do.",
    examples=(
        (
            "what a run would do",
            "elmo-beam plan --input 'shards/*.txt.gz' --split_sentences",
        ),
        (
            "how long it would take at 15,000 tokens per second",
            "elmo-beam plan --input 'shards/*.txt.gz' --rate 15000",
        ),
        (
            "which words of a list occur",
            "elmo-beam plan --input 'books/*.txt' --words words.txt",
        ),
    ),
    add_flags=add_flags,
    run=run,
)
