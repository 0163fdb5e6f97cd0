"""`elmo-beam models`: what a model handle names."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flag_types import path
from elmo_beam.pipeline.terminal.flags import add_trust_model
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The model."""
    parser.add_argument("model", type=path, metavar="HANDLE", help="model handle, as for embed")
    add_trust_model(parser)


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Print what is known of the model."""
    from elmo_beam.elmo.formats.describe import description
    from elmo_beam.elmo.formats.handles import model_place, read_weights
    from elmo_beam.transforms.models import local_handle

    handle = local_handle(args.model)
    weights = read_weights(handle, trust_model=args.trust_model)
    found = description(model_place(handle), weights)
    widest = max(map(len, found))
    say(*(f"{name:<{widest}}  {value}" for name, value in found.items()))
    return 0


COMMAND = Command(
    summary="say what a model is",
    description="Say what a model handle names: format, shape, size, vocabulary and digest; or, "
    "of a folder that is not a model, what it looks like.",
    examples=(
        ("the model inside", "elmo-beam models default"),
        ("a TF-Hub module", "elmo-beam models https://tfhub.dev/google/elmo/3"),
        ("an archive of ELMoForManyLangs", "elmo-beam models german.zip"),
    ),
    add_flags=add_flags,
    run=run,
)
