"""`elmo-beam evaluate`: a model's perplexity on text, and a part-of-speech probe of each layer."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from elmo.encoder import Encoder
from elmo.errors import UserError
from elmo.models import model_folder, read_weights
from elmo.outputs import SENTENCE_OUTPUT, output_names
from elmo.precision import check_precision
from elmo.probe import PENALTIES, Probe, majority_accuracy
from elmo.training.batches import BatchMaker, epoch_of_batches
from elmo.training.language_model import SOFTMAX_B, SOFTMAX_W, LanguageModel
from elmo.training.vocabulary import read_softmax
from elmo.weights import Weights
from pipeline.console import complain, say
from pipeline.flags import text_settings
from pipeline.stopping import beside
from pipeline.train import TICK, enough_memory, read_showing
from transforms.conllu import Sentence, read_conllu
from transforms.shards import expand_inputs

BATCH_TOKENS = 5000
MAJORITY = "majority tag"
BAR = 30


def evaluate(args: argparse.Namespace) -> int:
    """Print the figures, and write them where `--output` says."""
    if args.output and not os.path.isdir(os.path.dirname(os.path.abspath(args.output))):
        raise UserError(f"--output {args.output}: there is no such local folder, so make it first")
    files = [args.conllu_train, args.conllu_dev, args.conllu_test]
    most = [args.sentences, None, None]
    tagged = [read_conllu(f, n) if f else [] for f, n in zip(files, most, strict=True)]
    paths = expand_inputs(args.input) if args.input else []
    if tagged[0]:
        check_precision(args.precision)
    with enough_memory():
        weights = read_weights(args.model)
        figures: dict[str, Any] = {"model": args.model, "digest": weights.digest}
        code = 0
        if paths:
            try:
                figures["perplexity"] = _aside(lambda: perplexity_of(args, weights, paths))
                say(_perplexity_line(figures["perplexity"]))
            except UserError as error:
                if not tagged[0]:
                    raise
                complain(str(error))
                code = 1
        if tagged[0]:
            encoder = Encoder(weights, precision=args.precision)
            figures["probe"] = _aside(lambda: probe_of(encoder, *tagged))
            say(_probe_table(figures["probe"]))
    if args.output:
        Path(args.output).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return code


def _aside(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The work in a thread, so that Ctrl-C is answered at once."""
    return beside(work, lambda: None, TICK)


def perplexity_of(args: argparse.Namespace, weights: Weights, paths: list[str]) -> dict[str, Any]:
    """Perplexity over all sentences of some shards; UserError where the model has no softmax."""
    words, w, b = read_softmax(model_folder(args.model), weights.options)
    sentences = read_showing(paths, text_settings(args)).sentences
    if not len(sentences):
        raise UserError(f"--input {' '.join(args.input)} has no sentence to predict")
    options = weights.options
    arrays = {name: weights.arrays[name] for name in options.shapes()}
    model = LanguageModel(options, {**arrays, SOFTMAX_W: w, SOFTMAX_B: b})
    maker = BatchMaker(sentences, words, options)
    every = np.arange(len(sentences))
    numbers = epoch_of_batches(sentences.lengths, every, BATCH_TOKENS, None)
    found = model.perplexity(maker.batch(which) for which in numbers)
    return {
        "forward": found.forward,
        "backward": found.backward,
        "sentences": len(sentences),
        "predictions": found.predictions,
        "vocabulary": len(words),
        "unknown_rate": found.unknown_rate,
        "tokenizer": args.tokenizer,
    }


def probe_of(
    encoder: Encoder, train: list[Sentence], dev: list[Sentence], test: list[Sentence]
) -> dict[str, Any]:
    """Accuracies of a linear probe on each output, and of the majority tag; as parts of 1.

    Where there is a `dev`, it chooses the probe's penalty.
    """
    parts = {"train": train, "dev": dev, "test": test}
    words = {part: list(chain.from_iterable(w for w, _ in s)) for part, s in parts.items()}
    tags = {part: list(chain.from_iterable(t for _, t in s)) for part, s in parts.items()}
    known = {tag: i for i, tag in enumerate(sorted(set(chain.from_iterable(tags.values()))))}
    labels = {part: np.array([known[t] for t in own], np.int32) for part, own in tags.items()}
    measured = [part for part in ("dev", "test") if parts[part]]
    accuracies: dict[str, dict[str, float]] = {
        MAJORITY: {
            part: majority_accuracy(words["train"], tags["train"], words[part], tags[part])
            for part in measured
        }
    }
    for name in output_names(encoder.options):
        if name == SENTENCE_OUTPUT:
            continue
        vectors = {
            part: encoder.encode([w for w, _ in s], [name])[name] for part, s in parts.items() if s
        }
        best: tuple[float, dict[str, float]] = (-1.0, {})
        for penalty in PENALTIES if dev else PENALTIES[:1]:
            probe = Probe(vectors["train"], labels["train"], len(known), penalty)
            found = {part: probe.accuracy(vectors[part], labels[part]) for part in measured}
            best = max(best, (found[measured[0]], found), key=lambda pair: pair[0])
        accuracies[name] = best[1]
    return {
        "precision": encoder.precision,
        "sentences": {part: len(s) for part, s in parts.items()},
        "tokens": {part: len(own) for part, own in words.items()},
        "accuracy": accuracies,
    }


def _perplexity_line(found: dict[str, Any]) -> str:
    return (
        f"perplexity {found['forward']:.1f} forward, {found['backward']:.1f} backward, on "
        f"{found['predictions']:,} {found['tokenizer']} tokens; {found['vocabulary']:,} words, "
        f"{found['unknown_rate']:.1%} <UNK>"
    )


def _probe_table(found: dict[str, Any]) -> str:
    """Accuracies, with a bar each."""
    accuracy = found["accuracy"]
    measured = list(accuracy[MAJORITY])
    lowest = min(by_part[measured[-1]] for by_part in accuracy.values())
    least = min(int(lowest * 20) / 20, 0.95)  # the bars' left end
    rows = [
        f"parts of speech by a linear probe, fit on {found['sentences']['train']:,} sentences",
        f"{'':<16}{''.join(f'{part:>8}' for part in measured)}  {measured[-1]}, from {least:.0%} "
        "to 100%",
    ]
    for name, by_part in accuracy.items():
        figures = "".join(f"{by_part[part]:>8.1%}" for part in measured)
        full = round(BAR * (by_part[measured[-1]] - least) / (1 - least))
        rows.append(f"{name:<16}{figures}  {'█' * full}{'░' * (BAR - full)}")
    return "\n".join(rows)
