"""`elmo-beam embed`: text shards to part files of vectors."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import complain, say
from elmo_beam.pipeline.terminal.flags import add_files, add_quiet, required
from elmo_beam.pipeline.terminal.run_flags import add_settings, settings_of
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Inputs, output and every setting."""
    add_files(parser)
    add_settings(parser)
    parser.add_argument("--overwrite", action="store_true", help="start over in --output")
    add_quiet(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="also say what sharing and the cache have saved"
    )


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """0 only if every line of every input is accounted for."""
    stop.describe = lambda: "stopped before anything was done; the same command continues"
    required(args, "inputs", "output")
    settings = settings_of(args)

    with StatusLine(args.quiet) as status:
        from elmo_beam.pipeline.job.job import Job
        from elmo_beam.pipeline.job.manifest import problems
        from elmo_beam.pipeline.job.run import run_job
        from elmo_beam.pipeline.job.summary import summary

        flags = tuple(args.beam_flags)
        job = Job(tuple(args.inputs), args.output, settings, args.overwrite, flags)
        layout, state, session = run_job(job, stop, status)
    say(*summary(layout, state, session, args.verbose))
    lines = problems(state)
    for line in lines:
        complain(line)
    return 1 if lines else 0


COMMAND = Command(
    summary="embed text shards; the same command continues a run",
    description="Embed text shards. Run again, the same command continues where it stopped.",
    note="Any other flag goes to Beam: --runner FlinkRunner --flink_master HOST:PORT …",
    examples=(
        (
            "compressed text, a sentence per row",
            "elmo-beam embed --input 'shards/*.txt.gz' --split_sentences --output vectors",
        ),
        (
            "one vector per document of JSON Lines, with its label",
            "elmo-beam embed --input reviews.jsonl --outputs default --keep_fields label:int64 "
            "--output reviews",
        ),
        (
            "only the uses of some words",
            "elmo-beam embed --input 'books/*.txt' --words words.txt --output uses",
        ),
    ),
    add_flags=add_flags,
    run=run,
)
