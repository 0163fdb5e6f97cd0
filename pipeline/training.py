"""A training as it runs: batches, steps, checkpoints, held-out perplexity."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from elmo.errors import UserError
from elmo.options import Options
from elmo.published import options_text, weights_bytes
from elmo.training.batches import Batch, BatchMaker, epoch_of_batches
from elmo.training.language_model import LOGITS, SOFTMAX_B, SOFTMAX_W, Arrays
from elmo.training.recipe import Recipe
from elmo.training.trainer import Clock, Trainer, learning_rate
from elmo.training.vocabulary import UNKNOWN, count_vocabulary, softmax_bytes
from pipeline.folder import versions
from pipeline.model_folder import ModelFolder
from pipeline.progress import StatusLine, duration
from transforms.corpus import Corpus
from transforms.storage import read_bytes

HELD_OUT_TOKENS = 60_000  # that perplexity is measured on, at most
SHOWN_STEPS = 50  # whose mean loss is shown
SEED = 1


class Due:
    """When something that costs time is worth doing again: it may take one part in `share`."""

    def __init__(self, share: float, cost: float) -> None:
        """cost: seconds to reckon with for the first time."""
        self._share, self._cost = share, cost
        self._last = time.monotonic()

    def __bool__(self) -> bool:
        return time.monotonic() - self._last >= self._share * self._cost

    def done(self, began: float) -> None:
        """It has been done, from `began` (monotonic) until now."""
        self._last = time.monotonic()
        self._cost = self._last - began


class Training:
    """One command's part of a training."""

    def __init__(
        self, folder: ModelFolder, corpus: Corpus, options: Options, recipe: Recipe, epochs: float
    ) -> None:
        """Raises UserError for a corpus that is too small."""
        self._folder, self._corpus = folder, corpus
        self._options, self._recipe = options, recipe
        self._lengths = corpus.sentences.lengths
        self._trained = np.flatnonzero(~corpus.held_out)
        self._held = _thinned(np.flatnonzero(corpus.held_out), self._lengths)
        if not len(self._trained) or not len(self._held):
            raise UserError(
                f"the text has {len(self._trained)} sentences to train on and {len(self._held)} "
                "held out: give at least some hundred different sentences"
            )
        of_training = corpus.sentences.ids[np.repeat(~corpus.held_out, self._lengths)]
        words = corpus.sentences.vocabulary
        self.vocabulary = count_vocabulary(words, of_training, recipe.n_tokens_vocab)
        self._maker = BatchMaker(corpus.sentences, self.vocabulary, options)
        self._held_batches = self._batches_of(self._held)
        self._predictions = int((self._lengths[self._trained] + 1).sum())
        self._total = max(1, int(epochs * self._predictions))
        self._clock, self._saved = Clock(), Clock()
        self._history: list[dict[str, Any]] = []
        self._losses: deque[float] = deque(maxlen=SHOWN_STEPS)
        self._seconds = 0.0  # of training, in all sessions
        self._rate: float | None = None  # tokens a second, of this session

    def plan(self) -> str:
        """What is trained on, in one paragraph."""
        corpus, n = self._corpus, len(self.vocabulary)
        rejected = sum(corpus.rejected.values())
        words = f"{n:,} words"
        if n < self._recipe.n_tokens_vocab:
            words += f" (the text has no more; n_tokens_vocab is {self._recipe.n_tokens_vocab:,})"
        return (
            f"{corpus.lines:,} lines ({corpus.blank:,} blank, {rejected:,} rejected), "
            f"{len(self._lengths):,} sentences, {int(self._lengths.sum()):,} tokens\n"
            f"vocabulary of {words}; {int(corpus.held_out.sum()):,} sentences held out, perplexity "
            f"measured on {len(self._held):,} of them"
        )

    def stopped(self) -> str:
        """What to say when the command is stopped here."""
        return (
            f"stopped at step {self._clock.step:,}, checkpoint at step {self._saved.step:,}; the "
            "same command continues"
        )

    def show(self, status: StatusLine) -> None:
        """Say how far it is."""
        clock = self._clock
        text = f"step {clock.step:,}, epoch {clock.tokens / self._predictions:.2f}"
        losses = list(self._losses)
        if losses:
            text += f", loss {np.mean(losses):.3f}"
        if self._history:
            forward, backward = (self._history[-1][d] for d in ("forward", "backward"))
            text += f", held-out perplexity {forward:.1f} {backward:.1f}"
        if self._rate:
            left = (self._total - clock.tokens) / self._rate
            text += f", {self._rate:,.0f} tokens/s, {duration(left)} left"
        status.show(clock.tokens / self._total, text)

    def run(self, arrays: Arrays) -> None:
        """Train until all epochs are done. `arrays`: what to begin with, softmax included."""
        trainer = Trainer(self._options, arrays, self._recipe)
        found = self._folder.read_checkpoint()
        if found is not None:
            trainer.restore(found[0])
            self._clock = self._saved = Clock(**found[1]["clock"])
            self._history, self._seconds = found[1]["history"], found[1]["seconds"]
        if self._clock.tokens >= self._total:
            return
        self._began, first = time.monotonic() - self._seconds, self._clock.tokens
        started = None
        save, evaluate = Due(50, 0.1), Due(30, 2.0)
        for batch, after in self._batches():
            rate = learning_rate(self._recipe.learning_rate_adam, after.tokens, self._total)
            loss = trainer.step(batch, after.step, rate)
            if not np.isfinite(loss):
                raise UserError(
                    f"the loss is not finite at step {after.step}: lower learning_rate_adam in "
                    f"--options; the checkpoint of step {self._saved.step} is kept"
                )
            self._losses.append(loss)
            self._clock = after
            now = time.monotonic()
            if started is None:  # the first step waits for TensorFlow: no part of the rate
                started, first = now, after.tokens
            elif now > started:
                self._rate = (after.tokens - first) / (now - started)
            last = after.tokens >= self._total
            if evaluate or last:
                self._evaluate(trainer)
                evaluate.done(now)
            if save or last:
                now = time.monotonic()
                self._save(trainer)
                save.done(now)

    def _batches(self) -> Any:
        """Batches from the clock's place on, each with the clock after it."""
        clock = self._clock
        while True:
            numbers = epoch_of_batches(
                self._lengths, self._trained, self._recipe.batch_tokens, (SEED, clock.epoch)
            )
            for i, which in enumerate(numbers):
                if i < clock.batch:
                    continue
                batch = self._maker.batch(which)
                clock = Clock(
                    clock.step + 1, clock.tokens + len(batch), clock.epoch, clock.batch + 1
                )
                yield batch, clock
                if clock.tokens >= self._total:
                    return
            clock = replace(clock, epoch=clock.epoch + 1, batch=0)

    def _batches_of(self, which: np.ndarray) -> list[Batch]:
        size = max(1, min(self._recipe.batch_tokens, LOGITS // len(self.vocabulary)))
        return [self._maker.batch(n) for n in epoch_of_batches(self._lengths, which, size, None)]

    def _evaluate(self, trainer: Trainer) -> None:
        """Measure the averaged weights, and write them as a model that loads."""
        forward, backward = trainer.average.perplexity(self._held_batches)
        clock = self._clock
        self._history.append(
            {
                "step": clock.step,
                "tokens": clock.tokens,
                "forward": forward,
                "backward": backward,
                "seconds": round(time.monotonic() - self._began, 1),
            }
        )
        softmax = (trainer.average.arrays[name].numpy() for name in (SOFTMAX_W, SOFTMAX_B))
        files = {
            "vocab.txt": "".join(f"{word}\n" for word in self.vocabulary).encode("utf-8"),
            "softmax.hdf5": softmax_bytes(*softmax),
            "options.json": options_text(self._options, self._recipe.to_json()).encode(),
            "weights.hdf5": weights_bytes(trainer.average.weights()),
            "training.json": (json.dumps(self._report(), indent=2) + "\n").encode(),
        }
        for name, data in files.items():
            self._folder.write(name, data)

    def _save(self, trainer: Trainer) -> None:
        state = {
            "clock": asdict(self._clock),
            "history": self._history,
            "seconds": time.monotonic() - self._began,
        }
        self._folder.write_checkpoint(trainer.checkpoint(), state)
        self._saved = self._clock

    def _report(self) -> dict[str, Any]:
        targets = np.concatenate([batch.targets for batch in self._held_batches], axis=1)
        return {
            "steps": self._clock.step,
            "predictions": self._clock.tokens,
            "predictions_planned": self._total,
            "predictions_an_epoch": self._predictions,
            "seconds": self._history[-1]["seconds"],
            "vocabulary": len(self.vocabulary),
            "lines": self._corpus.lines,
            "sentences": len(self._lengths),
            "tokens": int(self._lengths.sum()),
            "held_out": {
                "sentences": len(self._held),
                "predictions": int(targets.shape[1]),
                "unknown_rate": float(np.mean(targets == UNKNOWN)),
            },
            "perplexity": self._history,
            "versions": versions(),
        }


def _thinned(held: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Evenly spread ones of the held-out sentences, where there are more than are needed."""
    every = max(1, int(lengths[held].sum()) // HELD_OUT_TOKENS)
    return held[::every]


def report_of(folder: ModelFolder) -> str:
    """A training's figures, for a person."""
    report = json.loads(read_bytes(folder.report) or b"{}")
    last = report["perplexity"][-1]
    held = report["held_out"]
    epochs = report["predictions"] / report["predictions_an_epoch"]
    return (
        f"{folder.root}\n"
        f"  trained             {report['steps']:,} steps, {report['predictions']:,} tokens "
        f"({epochs:.2f} epochs) in {duration(report['seconds'])}\n"
        f"  held-out perplexity {last['forward']:.1f} forward, {last['backward']:.1f} backward, "
        f"on {held['predictions']:,} tokens; {report['vocabulary']:,} words, "
        f"{held['unknown_rate']:.1%} <UNK>"
    )
