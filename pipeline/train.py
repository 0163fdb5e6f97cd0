"""`elmo-beam train`: text shards to a biLM in the published layout."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elmo.backend import tf
from elmo.errors import UserError, cause_of
from elmo.models import is_module, model_folder, read_weights
from elmo.options import Options, parse_options
from elmo.training.language_model import (
    SOFTMAX_B,
    SOFTMAX_W,
    Arrays,
    initial_arrays,
    initial_softmax,
)
from elmo.training.recipe import Recipe, parse_recipe
from elmo.training.vocabulary import read_softmax
from pipeline.console import say
from pipeline.flags import DEFAULTS, TEXT_FLAGS, text_settings
from pipeline.model_folder import model_folder_of, model_folder_taken
from pipeline.progress import StatusLine
from pipeline.stopping import Stopper, beside
from pipeline.training import Training
from transforms.corpus import Corpus, read_corpus
from transforms.settings import Settings
from transforms.shards import Damaged, expand_inputs, stat_shard

TICK = 0.5  # seconds between looks at how far it is


@dataclass(frozen=True)
class Start:
    """What a training begins with. digest: of `--init_from`, whose softmax may be known too."""

    options: Options
    recipe: Recipe
    arrays: Arrays
    digest: str | None = None
    softmax: tuple[list[str], np.ndarray, np.ndarray] | None = None

    def softmax_of(self, vocabulary: list[str]) -> Arrays:
        """The softmax over a vocabulary: rows of words known already, new ones for the rest."""
        new = initial_softmax(len(vocabulary), self.options)
        if self.softmax is not None:
            words, w, b = self.softmax
            index = {word: i for i, word in enumerate(words)}
            known = [(i, index[word]) for i, word in enumerate(vocabulary) if word in index]
            here, there = np.array(known, np.int64).reshape(-1, 2).T
            new[SOFTMAX_W][here], new[SOFTMAX_B][here] = w[there], b[there]
        return new


def train(args: argparse.Namespace, stop: Stopper) -> int:
    """Train, or go on training; 0 when all epochs are done."""
    folder = model_folder_of(args.output)
    paths = expand_inputs(args.input)
    with enough_memory():
        start = start_of(args)
        with model_folder_taken(folder, _settings(args, paths, start)):
            cache = (folder.training, folder.corpus)
            corpus = read_showing(paths, text_settings(args), cache)
            training = Training(folder, corpus, start.options, start.recipe, args.epochs)
            say(training.plan())
            stop.describe = training.stopped
            arrays = {**start.arrays, **start.softmax_of(training.vocabulary)}
            status = StatusLine()
            try:
                beside(lambda: training.run(arrays), lambda: training.show(status), TICK)
            finally:
                status.end()
            say(training.summary())
    return 0


@contextmanager
def enough_memory() -> Iterator[None]:
    """UserError where the block asks for more memory than there is."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(
            f"out of memory ({cause_of(error)}): make the model (lstm dim, n_tokens_vocab), "
            "batch_tokens or --max_tokens smaller"
        ) from None


def start_of(args: argparse.Namespace) -> Start:
    """The options and weights that the flags ask for; UserError where they cannot be had."""
    if args.init_from is None:
        options, recipe = _read_options(
            Path(args.options) if args.options else model_folder(DEFAULTS.model) / "options.json"
        )
        return Start(options, recipe, initial_arrays(options))
    weights = read_weights(args.init_from)
    options, folder = weights.options, model_folder(args.init_from)
    recipe, softmax = Recipe(), None
    if not is_module(folder):
        recipe = _read_options(folder / "options.json")[1]
        if (folder / "softmax.hdf5").is_file():
            softmax = read_softmax(folder, options)
    if args.options:
        given, recipe = _read_options(Path(args.options))
        if given != options:
            raise UserError(
                f"--options {args.options} has another shape than --init_from {args.init_from}: "
                "with --init_from it may only say how to train"
            )
    arrays = {name: weights.arrays[name] for name in options.shapes()}
    return Start(options, recipe, arrays, weights.digest, softmax)


def _read_options(path: Path) -> tuple[Options, Recipe]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read --options {path} ({error.strerror})") from None
    return parse_options(text, str(path)), parse_recipe(text, str(path))


def _settings(args: argparse.Namespace, paths: list[str], start: Start) -> dict[str, Any]:
    """What must stay the same for a training to go on, by the flags' names."""
    try:
        shards = [stat_shard(path) for path in paths]
    except Damaged as damage:
        raise UserError(f"an input {damage}: bring it back, or leave it out of --input") from None
    return {
        "--input": {s.path: f"{s.size} bytes of {s.modified}" for s in shards},
        "--options": {**start.options.to_json(), **start.recipe.to_json()},
        "--init_from": start.digest,
        "--epochs": args.epochs,
        **{f"--{name}": getattr(args, name) for name in TEXT_FLAGS},
    }


def read_showing(paths: list[str], text: Settings, cache: tuple[str, str] | None = None) -> Corpus:
    """`read_corpus`, saying how far it is."""
    done = 0
    status = StatusLine()

    def said(files: int) -> None:
        nonlocal done
        done = files

    def show() -> None:
        status.show(done / len(paths), f"read {done} of {len(paths)} files")

    try:
        return beside(lambda: read_corpus(paths, text, cache, said), show, TICK)
    finally:
        status.end()
