"""`elmo-beam elmo`: what the `allennlp elmo` command did, with its flags and its HDF5 file."""

from __future__ import annotations

import argparse

from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flag_types import count, path
from elmo_beam.pipeline.terminal.flags import add_quiet
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Those of `allennlp elmo`."""
    parser.add_argument(
        "input_file", type=path, help="one sentence per line, with spaces between tokens"
    )
    parser.add_argument("output_file", type=path, help="the HDF5 file to write")
    layers = parser.add_mutually_exclusive_group(required=True)
    for name, what in (
        ("all", "all layers"),
        ("top", "the top layer"),
        ("average", "the mean of all layers"),
    ):
        layers.add_argument(f"--{name}", dest="layers", action="store_const", const=name, help=what)
    parser.add_argument(
        "--options-file", type=path, metavar="FILE", help="the model's options.json"
    )
    parser.add_argument("--weight-file", type=path, metavar="FILE", help="the model's HDF5 weights")
    ignored = "accepted and ignored"
    parser.add_argument("--batch-size", type=count, metavar="N", help=ignored)
    parser.add_argument("--cuda-device", type=int, metavar="N", help=ignored)
    parser.add_argument("--vocab-path", metavar="FILE", help=ignored)
    parser.add_argument("--file-friendly-logging", action="store_true", help=ignored)
    parser.add_argument(
        "--use-sentence-keys", action="store_true", help="name each dataset by its sentence"
    )
    parser.add_argument(
        "--forget-sentences", action="store_true", help="do not write sentence_to_index"
    )
    add_quiet(parser)


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Embed a file of tokenized sentences, and write one HDF5 file."""
    with StatusLine(args.quiet) as status:
        from elmo_beam.pipeline.job.allennlp import Hdf5Job, write_hdf5

        job = Hdf5Job(
            input_file=args.input_file,
            output_file=args.output_file,
            layers=args.layers,
            options_file=args.options_file,
            weight_file=args.weight_file,
            sentence_keys=args.use_sentence_keys,
            index=not args.forget_sentences,
        )
        written = write_hdf5(job, stop, status)
    say(written)
    return 0


COMMAND = Command(
    summary="do what AllenNLP's elmo command did, with its flags and its HDF5 file",
    description="Embed tokenized sentences, one per line, into one HDF5 file as AllenNLP wrote it.",
    examples=(
        ("all three layers", "elmo-beam elmo sentences.txt vectors.hdf5 --all"),
        ("their mean", "elmo-beam elmo sentences.txt vectors.hdf5 --average"),
        (
            "with weights as AllenNLP published them",
            "elmo-beam elmo sentences.txt vectors.hdf5 --top --options-file options.json "
            "--weight-file weights.hdf5",
        ),
    ),
    add_flags=add_flags,
    run=run,
    beam_flags=False,
)
