"""Training steps of a model of the default one's shape, on real text."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from elmo_beam.elmo.formats.handles import DEFAULT_FOLDER
from elmo_beam.elmo.model.costs import lstm_flops
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.training.batches import BatchMaker, epoch_of_batches
from elmo_beam.elmo.training.language_model import SEED, initial_arrays, initial_softmax
from elmo_beam.elmo.training.recipe import parse_recipe
from elmo_beam.elmo.training.sampled_softmax import draw_samples
from elmo_beam.elmo.training.trainer import Trainer
from elmo_beam.elmo.training.vocabulary import vocabulary_of

STEPS = 5  # of a measurement
RATE = 1e-3


def measure(sentences: list[list[str]], products: float, runs: int) -> dict[str, Any]:
    """Predictions per second of each run. products: FLOP/s of matrix products here."""
    text = (DEFAULT_FOLDER / "options.json").read_text()
    options, recipe = parse_options(text, "default"), parse_recipe(text, "default")
    corpus = Sentences.from_lists(sentences)
    words = vocabulary_of(corpus.vocabulary, np.bincount(corpus.ids), recipe.n_tokens_vocab)
    trainer = Trainer(
        options, {**initial_arrays(options), **initial_softmax(len(words), options)}, recipe
    )
    maker, every = BatchMaker(corpus, words, options), np.arange(len(corpus))
    numbers = epoch_of_batches(corpus.lengths, every, recipe.batch_tokens, (SEED, 0))
    batches = [maker.batch(which) for _, which in zip(range(STEPS), numbers, strict=False)]
    step = 1
    trainer.step(batches[0], step, RATE)  # traces
    rates = []
    for _ in range(runs):
        begin = time.perf_counter()
        for batch in batches:
            step += 1
            trainer.step(batch, step, RATE)
        rates.append(sum(map(len, batches)) / (time.perf_counter() - begin))
    samples, _ = draw_samples(len(words), recipe.n_negative_samples_batch, (0,))
    sampled = 2 * 2 * len(samples) * options.projection_dim
    flops = 3 * (lstm_flops(options) + sampled)  # forward, and twice as many backward
    return {"rates": rates, "flops": flops, "of_products": median(rates) * flops / products}


def line(found: dict[str, Any]) -> str:
    """The figures for a person."""
    return (
        f"training, default model's shape: {median(found['rates']):,.0f} predictions/s, "
        f"{found['flops'] / 1e6:.1f} MFLOP each: {found['of_products']:.0%} of the float32 rate of "
        "matrix products"
    )
