"""`elmo-beam report`: a run as one page of HTML, which needs nothing beside it."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flags import add_run
from elmo_beam.pipeline.terminal.stopping import Stopper


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Write DIR/report.html."""
    from elmo_beam.pipeline.report.page import write_report

    say(write_report(args.output))
    return 0


COMMAND = Command(
    summary="write a run as one page of HTML, DIR/report.html",
    description="Write DIR/report.html: each file's accounts, rejected lines, the speed, a box to "
    "look words up in, a map of words, the settings. The page needs no network.",
    examples=(
        ("write vectors/report.html", "elmo-beam report vectors"),
        ("and look at it", "elmo-beam report vectors && xdg-open vectors/report.html"),
        ("of a run in a bucket", "elmo-beam report s3://bucket/vectors"),
    ),
    add_flags=add_run,
    run=run,
)
