"""`elmo-beam train`: text shards to a biLM in the published layout."""

from __future__ import annotations

import argparse

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.flag_types import number, path
from elmo_beam.pipeline.terminal.flags import (
    add_files,
    add_quiet,
    add_text,
    add_trust_model,
    required,
    text_settings_of,
)
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.pipeline.terminal.stopping import Stopper

MOST_EPOCHS = 1_000_000


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Inputs, output, the model's shape and how to train it."""
    add_files(parser)
    parser.add_argument(
        "--options",
        type=path,
        metavar="FILE",
        help="an options.json: the model's shape, and dropout, clipping and the like (default: the "
        "default model's)",
    )
    parser.add_argument(
        "--init_from", type=path, metavar="HANDLE", help="start from the weights of this model"
    )
    add_trust_model(parser)
    add_quiet(parser)
    parser.add_argument(
        "--epochs",
        type=number,
        default=10.0,
        metavar="N",
        help="passes over the text; may be a fraction, such as 0.5 (default: 10)",
    )
    add_text(parser, max_tokens=128)
    parser.set_defaults(long_sentences="split")


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """0 when all epochs are done."""
    stop.describe = lambda: "stopped before the training began; the same command continues"
    required(args, "inputs", "output")
    if args.epochs > MOST_EPOCHS:
        raise ArgumentError(f"`epochs` {args.epochs:g} is more than {MOST_EPOCHS:,}")
    text = text_settings_of(args)

    with StatusLine(args.quiet) as status:
        from elmo_beam.pipeline.training.start import TrainingJob, train

        job = TrainingJob(
            inputs=tuple(args.inputs),
            output=args.output,
            text=text,
            epochs=args.epochs,
            options_file=args.options,
            init_from=args.init_from,
            trust_model=args.trust_model,
        )
        train(job, stop, status)
    return 0


COMMAND = Command(
    summary="train a biLM on text shards; the same command continues",
    description="Train a biLM. Run again, the same command continues from its checkpoint.",
    examples=(
        (
            "a model of the default model's shape",
            "elmo-beam train --input 'shards/*.txt.gz' --output model",
        ),
        (
            "of another shape, for two epochs",
            "elmo-beam train --input 'shards/*.txt.gz' --options options.json --epochs 2 "
            "--output model",
        ),
        (
            "a published model, trained further on other text",
            "elmo-beam train --input 'medical/*.txt' --init_from elmo.hdf5 --output medical-model",
        ),
    ),
    add_flags=add_flags,
    run=run,
)
