"""`elmo-beam inspect`: a run in the terminal."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flag_types import count, word
from elmo_beam.pipeline.terminal.flags import add_run
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The run, and what to show of it."""
    add_run(parser)
    parser.add_argument(
        "--rows", type=count, default=3, metavar="N", help="rows to show (default: 3)"
    )
    parser.add_argument(
        "--word",
        type=word,
        metavar="WORD",
        help="show the uses of a word in two groups, the most typical of each",
    )


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Print accounts, settings, columns and rows, or the uses of a word."""
    from elmo_beam.pipeline.report.overview import overview
    from elmo_beam.pipeline.report.word_uses import word_uses
    from elmo_beam.transforms.readers.run import open_run

    opened = open_run(args.output, allow_incomplete=True)
    shown = overview(opened, args.rows) if args.word is None else word_uses(opened, args.word)
    say(*shown)
    return 0


COMMAND = Command(
    summary="show a run's accounts and rows",
    description="Show a run's accounts, settings, columns and rows, or the uses of a word.",
    examples=(
        ("accounts, settings and the first rows", "elmo-beam inspect vectors"),
        ("the uses of a word, in two groups", "elmo-beam inspect vectors --word bank"),
        ("more rows", "elmo-beam inspect vectors --rows 20"),
    ),
    add_flags=add_flags,
    run=run,
)
