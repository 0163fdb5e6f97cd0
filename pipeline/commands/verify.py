"""`elmo-beam verify`: re-read everything that a run wrote, and check it."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import complain, say
from elmo_beam.pipeline.terminal.flags import add_run
from elmo_beam.pipeline.terminal.stopping import Stopper


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """0 if all is well."""
    from elmo_beam.pipeline.job.verification import verify

    verdict, wrong = verify(args.output)
    for line in wrong:
        complain(line)
    say(verdict)
    return 1 if wrong else 0


COMMAND = Command(
    summary="re-read everything that a run wrote, and check it",
    description="Re-read everything that a run wrote, and check it against its accounts.",
    examples=(
        ("a run on this machine", "elmo-beam verify vectors"),
        ("a run in a bucket", "elmo-beam verify gs://bucket/vectors"),
        ("and go on only if all is as accounted", "elmo-beam verify vectors && echo sound"),
    ),
    add_flags=add_run,
    run=run,
)
