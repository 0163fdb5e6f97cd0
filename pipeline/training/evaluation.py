"""A model measured: perplexity on text, and a part-of-speech probe of each layer.

The work runs in a thread, so that Ctrl-C is answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.formats.handles import model_folder
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_names
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.pos_probe import PENALTIES, Probe, majority_accuracy
from elmo_beam.elmo.training.batches import Batch, BatchMaker, epoch_of_batches
from elmo_beam.elmo.training.language_model import SOFTMAX_B, SOFTMAX_W, LanguageModel
from elmo_beam.elmo.training.vocabulary import read_softmax
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.threads import run_in_thread
from elmo_beam.pipeline.training.corpus import TICK, read_showing
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.conllu import TaggedSentence

BATCH_TOKENS = 5000
MAJORITY = "majority tag"
BAR = 30

Note = Callable[[int, int, str, str], None]  # done, of how many, verb, noun
Result = TypeVar("Result")


def perplexity_of(
    handle: str, weights: Weights, paths: list[str], text: Settings, status: Status
) -> dict[str, Any]:
    """Perplexity of a model that has its softmax, over all sentences of some shards."""
    words, w, b = read_softmax(model_folder(handle), weights.options)
    sentences = read_showing(paths, text, None, status).sentences
    if not len(sentences):
        raise UserError(f"`inputs` {' '.join(paths)} have no sentence to predict")
    options = weights.options
    arrays = {name: weights.arrays[name] for name in options.shapes()}
    model = LanguageModel(options, {**arrays, SOFTMAX_W: w, SOFTMAX_B: b})
    maker = BatchMaker(sentences, words, options)
    every = np.arange(len(sentences))
    numbers = list(epoch_of_batches(sentences.lengths, every, BATCH_TOKENS, None))

    def batches(note: Note) -> Iterator[Batch]:
        done = 0
        for which in numbers:
            note(done, len(sentences), "measured", "sentence")
            yield maker.batch(which)
            done += len(which)

    found = _showing(lambda note: model.perplexity(batches(note)), status)
    return {
        "forward": found.forward,
        "backward": found.backward,
        "sentences": len(sentences),
        "predictions": found.predictions,
        "vocabulary": len(words),
        "unknown_rate": found.unknown_rate,
        "tokenizer": text.tokenizer,
    }


def probe_of(
    encoder: Encoder, tagged: list[list[TaggedSentence]], status: Status
) -> dict[str, Any]:
    """Accuracies, from 0 to 1, of a linear probe on each output, and of the majority tag.

    tagged: train, dev and test. If there is a dev, it chooses the probe's penalty.
    """
    return _showing(lambda note: _probe(note, encoder, tagged), status)


def _showing(work: Callable[[Note], Result], status: Status) -> Result:
    """What `work` returns, with its progress shown: it notes how much is done, of how much."""
    share, text = 0.0, "starting"

    def note(done: int, of: int, verb: str, noun: str) -> None:
        nonlocal share, text
        share, text = done / of, f"{verb} {done:,} of {counted(of, noun)}"

    try:
        return run_in_thread(lambda: work(note), lambda: status.show(share, text), TICK)
    finally:
        status.end()


def _probe(note: Note, encoder: Encoder, tagged: list[list[TaggedSentence]]) -> dict[str, Any]:
    parts = dict(zip(("train", "dev", "test"), tagged, strict=True))
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
    names = [name for name in output_names(encoder.options) if name != SENTENCE_OUTPUT]
    for i, name in enumerate(names):
        note(i, len(names), "probed", "output")
        vectors = {
            part: encoder.encode([w for w, _ in s], [name])[name] for part, s in parts.items() if s
        }
        best: tuple[float, dict[str, float]] = (-1.0, {})
        for penalty in PENALTIES if parts["dev"] else PENALTIES[:1]:
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


def perplexity_line(found: dict[str, Any]) -> str:
    """The figures of `perplexity_of` in one line."""
    return (
        f"perplexity {found['forward']:.1f} forward, {found['backward']:.1f} backward, on "
        f"{counted(found['predictions'], found['tokenizer'] + ' token')}; "
        f"{counted(found['vocabulary'], 'word')}, "
        f"{found['unknown_rate']:.1%} <UNK>"
    )


def probe_table(found: dict[str, Any]) -> list[str]:
    """The accuracies of `probe_of` in lines, with a bar each."""
    accuracy = found["accuracy"]
    measured = list(accuracy[MAJORITY])
    lowest = min(by_part[measured[-1]] for by_part in accuracy.values())
    least = min(int(lowest * 20) / 20, 0.95)  # the bars' left end
    rows = [
        "parts of speech by a linear probe, fit on "
        f"{counted(found['sentences']['train'], 'sentence')}",
        f"{'':<16}{''.join(f'{part:>8}' for part in measured)}  {measured[-1]}, from {least:.0%} "
        "to 100%",
    ]
    for name, by_part in accuracy.items():
        figures = "".join(f"{by_part[part]:>8.1%}" for part in measured)
        full = round(BAR * (by_part[measured[-1]] - least) / (1 - least))
        rows.append(f"{name:<16}{figures}  {'█' * full}{'░' * (BAR - full)}")
    return rows
