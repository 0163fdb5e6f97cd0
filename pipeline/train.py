"""`elmo-beam train`: text shards to a biLM in the published layout."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elmo.errors import UserError
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
from pipeline.model_folder import ModelFolder, model_folder_of, model_folder_taken
from pipeline.progress import StatusLine
from pipeline.stopping import Stopper, beside
from pipeline.training import Training, report_of
from transforms.corpus import Corpus, read_corpus
from transforms.settings import Settings
from transforms.shards import expand_inputs, stat_shard

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
    start = start_of(args)
    with model_folder_taken(folder, _settings(args, paths, start)):
        corpus = _read(paths, text_settings(args), folder)
        training = Training(folder, corpus, start.options, start.recipe, args.epochs)
        say(training.plan())
        stop.describe = training.stopped
        arrays = {**start.arrays, **start.softmax_of(training.vocabulary)}
        status = StatusLine()
        try:
            beside(lambda: training.run(arrays), lambda: training.show(status), TICK)
        finally:
            status.end()
        say(report_of(folder))
    return 0


def start_of(args: argparse.Namespace) -> Start:
    """The options and weights that the flags ask for; UserError where they cannot be had."""
    if args.init_from is None:
        path = Path(args.options) if args.options else model_folder(DEFAULTS.model) / "options.json"
        try:
            text = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read --options {path} ({error.strerror})") from None
        options = parse_options(text, str(path))
        return Start(options, parse_recipe(text, str(path)), initial_arrays(options))
    weights = read_weights(args.init_from)
    folder = model_folder(args.init_from)
    recipe, softmax = Recipe(), None
    if not is_module(folder):
        path = folder / "options.json"
        recipe = parse_recipe(path.read_bytes(), str(path))
        if (folder / "softmax.hdf5").is_file():
            softmax = read_softmax(folder, weights.options)
    arrays = {name: weights.arrays[name] for name in weights.options.shapes()}
    return Start(weights.options, recipe, arrays, weights.digest, softmax)


def _settings(args: argparse.Namespace, paths: list[str], start: Start) -> dict[str, Any]:
    """What must stay the same for a training to go on, by the flags' names."""
    shards = [stat_shard(path) for path in paths]
    return {
        "--input": [[s.path, s.size, s.modified] for s in shards],
        "--options": {**start.options.to_json(), **start.recipe.to_json()},
        "--init_from": start.digest,
        "--epochs": args.epochs,
        **{f"--{name}": getattr(args, name) for name in TEXT_FLAGS},
    }


def _read(paths: list[str], text: Settings, folder: ModelFolder) -> Corpus:
    done = 0
    status = StatusLine()

    def said(files: int) -> None:
        nonlocal done
        done = files

    def show() -> None:
        status.show(done / len(paths), f"read {done} of {len(paths)} files")

    try:
        cache = (folder.training, folder.corpus)
        return beside(lambda: read_corpus(paths, text, cache, said), show, TICK)
    finally:
        status.end()
