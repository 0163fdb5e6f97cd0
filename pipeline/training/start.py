"""The beginning of a training: what it starts from, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import MOST_OPTIONS, read_regular
from elmo_beam.elmo.formats.handles import DEFAULT_FOLDER, model_folder, read_weights
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.training.language_model import (
    SOFTMAX_B,
    SOFTMAX_W,
    Arrays,
    initial_arrays,
    initial_softmax,
)
from elmo_beam.elmo.training.recipe import Recipe, parse_recipe
from elmo_beam.elmo.training.vocabulary import read_softmax
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.flags import TEXT_FLAGS
from elmo_beam.pipeline.terminal.inputs import input_files
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.pipeline.terminal.threads import run_in_thread
from elmo_beam.pipeline.training.corpus import TICK, read_showing
from elmo_beam.pipeline.training.model_folder import model_folder_held, model_folder_of
from elmo_beam.pipeline.training.session import Training
from elmo_beam.transforms.corpus import content_of
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.models import local_handle


@dataclass(frozen=True)
class TrainingJob:
    """What the command asks for.

    inputs, output: of files and folder. text: settings, of which those for text count. epochs:
    passes over the text. options_file: an options.json. init_from: a model to start from;
    trust_model: as for `load_encoder`.
    """

    inputs: tuple[str, ...]
    output: str
    text: Settings
    epochs: float
    options_file: str | None = None
    init_from: str | None = None
    trust_model: bool = False


@dataclass(frozen=True)
class Start:
    """What a training starts from. digest: of `init_from`, whose softmax may be known too."""

    options: ModelOptions
    recipe: Recipe
    arrays: Arrays
    digest: str | None = None
    softmax: tuple[list[str], np.ndarray, np.ndarray] | None = None

    def softmax_of(self, vocabulary: list[str]) -> Arrays:
        """The softmax over a vocabulary: known rows for known words, new ones for the rest."""
        new = initial_softmax(len(vocabulary), self.options)
        if self.softmax is not None:
            words, w, b = self.softmax
            index = {word: i for i, word in enumerate(words)}
            known = [(i, index[word]) for i, word in enumerate(vocabulary) if word in index]
            here, there = np.array(known, np.int64).reshape(-1, 2).T
            new[SOFTMAX_W][here], new[SOFTMAX_B][here] = w[there], b[there]
        return new


def train(job: TrainingJob, stop: Stopper, status: Status) -> None:
    """Train, or resume training, until all epochs are done."""
    folder = model_folder_of(job.output)
    paths = input_files(job.inputs, folder.root)
    with enough_memory():
        start = start_of(job)
        with model_folder_held(folder, _settings(job, paths, start)):
            cache = (folder.training, folder.corpus)
            corpus = read_showing(paths, job.text, cache, status)
            training = Training(folder, corpus, start.options, start.recipe, job.epochs)
            say(*training.plan())
            stop.describe = training.stopped
            arrays = {**start.arrays, **start.softmax_of(training.vocabulary)}
            try:
                run_in_thread(lambda: training.run(arrays), lambda: training.show(status), TICK)
            finally:
                status.end()
            say(*training.summary())


@contextmanager
def enough_memory() -> Iterator[None]:
    """UserError if the block needs more memory than there is."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise UserError(
            f"out of memory ({cause_of(error)}): make the model (lstm dim, n_tokens_vocab), "
            "batch_tokens or `max_tokens` smaller"
        ) from None


def start_of(job: TrainingJob) -> Start:
    """The options and weights to start from; UserError if they cannot be read."""
    if job.init_from is None:
        given = Path(job.options_file) if job.options_file else DEFAULT_FOLDER / "options.json"
        options, recipe = _read_options(given)
        return Start(options, recipe, initial_arrays(options))
    handle = local_handle(job.init_from)
    weights = read_weights(handle, trust_model=job.trust_model)
    options, folder = weights.options, model_folder(handle)
    if not options.is_trainable:
        raise UserError(
            f"`init_from` {job.init_from} has a table of words: `train` is for models of characters"
        )
    recipe, softmax = Recipe(), None
    if (folder / "options.json").is_file():
        recipe = _read_options(folder / "options.json")[1]
        if (folder / "softmax.hdf5").is_file():
            softmax = read_softmax(folder, options)
    if job.options_file:
        shape, recipe = _read_options(Path(job.options_file))
        if shape != options:
            raise UserError(
                f"`options` {job.options_file} has another shape than `init_from` {job.init_from}: "
                "with `init_from` it may only say how to train"
            )
    arrays = {name: weights.arrays[name] for name in options.shapes()}
    return Start(options, recipe, arrays, weights.digest, softmax)


def _read_options(path: Path) -> tuple[ModelOptions, Recipe]:
    if not path.exists():
        raise UserError(f"cannot read `options` {path} (No such file): check the path")
    text = read_regular(path, MOST_OPTIONS)
    options, recipe = parse_options(text, str(path)), parse_recipe(text, str(path))
    if not options.is_trainable:
        raise UserError(f"{path} has no `char_cnn`: `train` is for models of characters")
    return options, recipe


def _settings(job: TrainingJob, paths: list[str], start: Start) -> dict[str, Any]:
    """What must stay the same for a training to be resumed."""
    return {
        "inputs": {path: content_of(path, job.text) for path in paths},
        "options": {**start.options.to_json(), **start.recipe.to_json()},
        "init_from": start.digest,
        "epochs": job.epochs,
        **{name: getattr(job.text, name) for name in TEXT_FLAGS},
    }
