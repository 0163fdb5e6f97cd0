"""`elmo-beam evaluate`: a model's perplexity on text, and a part-of-speech probe of each layer."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, model_folder, read_weights
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.console import complain, say
from elmo_beam.pipeline.terminal.flag_types import count, path
from elmo_beam.pipeline.terminal.flags import (
    DEFAULTS,
    add_inputs,
    add_precision,
    add_quiet,
    add_text,
    add_trust_model,
    text_settings_of,
)
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.pipeline.terminal.stopping import Stopper


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The model, and what to measure it by."""
    parser.add_argument(
        "--model",
        type=path,
        default=DEFAULTS.model,
        metavar="HANDLE",
        help="model handle, as for embed (default: default)",
    )
    add_trust_model(parser)
    add_precision(parser)
    add_inputs(parser, "text to predict")
    parser.add_argument("--output", type=path, metavar="FILE", help="write the figures as JSON")
    for part, use in (("train", "fit on"), ("dev", "choose by"), ("test", "measure on")):
        parser.add_argument(
            f"--conllu_{part}",
            type=path,
            metavar="FILE",
            help=f"CoNLL-U to {use}; also .gz, .bz2, .zst",
        )
    parser.add_argument(
        "--sentences", type=count, metavar="N", help="fit on the first N of --conllu_train only"
    )
    add_text(parser)
    add_quiet(parser)


def run(args: argparse.Namespace, stop: Stopper) -> int:
    """Print the figures, and write them where --output says."""
    _check(args)
    text = text_settings_of(args)
    if args.output and not os.path.isdir(os.path.dirname(os.path.abspath(args.output))):
        raise UserError(f"`output` {args.output}: there is no such local folder: create it first")
    if args.output and os.path.isdir(args.output):
        raise UserError(f"`output` {args.output} is a folder: name a file")

    from elmo_beam.elmo.encoder.precision import check_precision
    from elmo_beam.pipeline.terminal.inputs import input_files
    from elmo_beam.transforms.inputs.conllu import read_conllu
    from elmo_beam.transforms.models import local_handle

    paths = input_files(args.inputs, args.output)
    files = (args.conllu_train, args.conllu_dev, args.conllu_test)
    limits = (args.sentences, None, None)
    tagged = [read_conllu(f, n) if f else [] for f, n in zip(files, limits, strict=True)]
    if args.conllu_train:
        check_precision(args.precision)
    handle = local_handle(args.model)
    weights = read_weights(handle, trust_model=args.trust_model)
    lacks = _why_no_perplexity(handle, weights) if paths else ""
    if lacks and not args.conllu_train:
        raise UserError(lacks)
    if lacks:
        complain(lacks)
    figures: dict[str, Any] = {"model": args.model, "digest": weights.digest}
    with StatusLine(args.quiet) as status:
        from elmo_beam.elmo.encoder.encoder import Encoder
        from elmo_beam.pipeline.training import evaluation
        from elmo_beam.pipeline.training.start import enough_memory

        with enough_memory():
            if paths and not lacks:
                found = evaluation.perplexity_of(handle, weights, paths, text, status)
                figures["perplexity"] = found
                say(evaluation.perplexity_line(found))
            if args.conllu_train:
                encoder = Encoder(weights, precision=args.precision)
                figures["probe"] = evaluation.probe_of(encoder, tagged, status)
                say(*evaluation.probe_table(figures["probe"]))
    if args.output:
        Path(args.output).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if lacks else 0


def _why_no_perplexity(handle: str, weights: Weights) -> str:
    """What keeps a model from predicting words; empty if nothing does."""
    if weights.options.is_trainable and (model_folder(handle) / "softmax.hdf5").is_file():
        return ""
    lacks = "ships without its softmax" if handle == DEFAULT_MODEL else "has no softmax"
    return (
        f"`model` {handle} {lacks}, so it predicts no words and has no perplexity: name one that "
        "`elmo-beam train` wrote, or give `conllu_train` and `conllu_test` for the probe"
    )


def _check(args: argparse.Namespace) -> None:
    """Raises ArgumentError for flags that are missing, or need others."""
    if not args.inputs and not args.conllu_train:
        raise ArgumentError(
            "nothing to measure: give `inputs`, or `conllu_train` and `conllu_test`"
        )
    if bool(args.conllu_train) != bool(args.conllu_test):
        raise ArgumentError("`conllu_train` and `conllu_test` go together: give both")
    for flag in ("conllu_dev", "sentences", "precision"):
        if getattr(args, flag) not in (None, DEFAULTS.precision) and not args.conllu_train:
            raise ArgumentError(
                f"`{flag}` is for the probe: give `conllu_train` and `conllu_test` too"
            )


COMMAND = Command(
    summary="measure a model: perplexity on text, a part-of-speech probe of each layer",
    description="Measure a model: its perplexity on text (--input), and how well a linear "
    "classifier predicts parts of speech from each of its layers (--conllu_train, --conllu_test).",
    examples=(
        (
            "perplexity on text",
            "elmo-beam evaluate --model model --input held-out.txt",
        ),
        (
            "parts of speech from each layer",
            "elmo-beam evaluate --conllu_train train.conllu --conllu_test test.conllu",
        ),
        (
            "the figures as JSON",
            "elmo-beam evaluate --model model --input held-out.txt --output figures.json",
        ),
    ),
    add_flags=add_flags,
    run=run,
)
