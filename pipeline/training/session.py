"""A training as it runs: batches, steps, checkpoints, held-out perplexity."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.formats.bilm_hdf5 import options_text, weights_bytes
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.training.batches import BatchMaker, epoch_of_batches
from elmo_beam.elmo.training.language_model import SEED, SOFTMAX_B, SOFTMAX_W, Arrays
from elmo_beam.elmo.training.recipe import Recipe
from elmo_beam.elmo.training.trainer import Clock, Trainer, learning_rate
from elmo_beam.elmo.training.vocabulary import UNKNOWN, softmax_bytes, vocabulary_of
from elmo_beam.elmo.wording import counted, duration
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.training.model_folder import ModelFolder
from elmo_beam.transforms.corpus import Corpus
from elmo_beam.transforms.files.settings import versions

HELD_OUT_TOKENS = 60_000  # at most, that perplexity is measured on
SHOWN_STEPS = 50  # whose mean loss is shown
MODEL_FILES = ("vocab.txt", "softmax.hdf5", "weights.hdf5", "options.json", "training.json")


class Due:
    """When something that costs time is worth doing again: it may take 1 / `share` of the time."""

    def __init__(self, share: float, cost: float) -> None:
        """cost: seconds that it is assumed to take the first time."""
        self._share, self._cost = share, cost
        self._last = time.monotonic()

    def __bool__(self) -> bool:
        return time.monotonic() - self._last >= self._share * self._cost

    def done(self, began: float) -> None:
        """Note that it has been done, from `began` (monotonic) until now."""
        self._last = time.monotonic()
        self._cost = self._last - began


class Training:
    """The part of a training that one command does."""

    def __init__(
        self,
        folder: ModelFolder,
        corpus: Corpus,
        options: ModelOptions,
        recipe: Recipe,
        epochs: float,
    ) -> None:
        """Raises UserError if the corpus is too small."""
        self._folder, self._corpus = folder, corpus
        self._options, self._recipe = options, recipe
        self._lengths = corpus.sentences.lengths
        self._trained = np.flatnonzero(~corpus.held_out)
        self._held = _thinned(np.flatnonzero(corpus.held_out), self._lengths)
        if not len(self._trained) or not len(self._held):
            raise UserError(
                f"the text has {counted(len(self._trained), 'sentence')} to train on and "
                f"{len(self._held)} held out: give at least some hundred different sentences"
            )
        words = corpus.sentences.vocabulary
        of_held_out = corpus.sentences.ids[np.repeat(corpus.held_out, self._lengths)]
        counts = np.bincount(corpus.sentences.ids) - np.bincount(of_held_out, minlength=len(words))
        self.vocabulary = vocabulary_of(words, counts, recipe.n_tokens_vocab)
        self._maker = BatchMaker(corpus.sentences, self.vocabulary, options)
        held = epoch_of_batches(self._lengths, self._held, recipe.batch_tokens, None)
        self._held_batches = [self._maker.batch(which) for which in held]
        self._predictions = int((self._lengths[self._trained] + 1).sum())
        self._total = max(1, int(epochs * self._predictions))
        self._clock, self._saved = Clock(), Clock()
        self._history: list[dict[str, Any]] = []
        self._losses: deque[float] = deque(maxlen=SHOWN_STEPS)
        self._seconds = 0.0  # of training, in all sessions
        self._rate: float | None = None  # tokens a second, of this session

    def plan(self) -> list[str]:
        """What is trained on, in lines."""
        corpus, n = self._corpus, len(self.vocabulary)
        rejected = sum(corpus.rejected.values())
        words = counted(n, "word")
        if n < self._recipe.n_tokens_vocab:
            words += f" (the text has no more; n_tokens_vocab is {self._recipe.n_tokens_vocab:,})"
        return [
            f"{counted(corpus.lines, 'line')} ({corpus.blank:,} blank, {rejected:,} rejected), "
            f"{counted(len(self._lengths), 'sentence')}, "
            f"{counted(int(self._lengths.sum()), 'token')}",
            f"vocabulary of {words}; {counted(int(corpus.held_out.sum()), 'sentence')} held out, "
            f"perplexity measured on {len(self._held):,} of them",
        ]

    def stopped(self) -> str:
        """What to print when the command is stopped here."""
        here = f"stopped at step {self._clock.step:,}"
        if not self._saved.step:
            return f"{here}, before the first checkpoint; the same command begins again"
        return f"{here}, checkpoint at step {self._saved.step:,}; the same command continues"

    def show(self, status: Status) -> None:
        """Show how far it is."""
        clock = self._clock
        text = f"epoch {clock.tokens / self._predictions:.2f}"
        losses = list(self._losses)
        if losses:
            text += f", loss {np.mean(losses):.3f}"
        if self._history:
            forward, backward = (self._history[-1][d] for d in ("forward", "backward"))
            text += f", perplexity {forward:.1f} {backward:.1f}"
        if self._rate:
            text += f", {self._rate:,.0f} tokens/s"
        status.show(clock.tokens / self._total, text)

    def run(self, arrays: Arrays) -> None:
        """Train until all epochs are done. arrays: what to start from, including the softmax."""
        trainer = Trainer(self._options, arrays, self._recipe)
        state = self._folder.restore(trainer.restore)
        if state is not None:
            self._clock = self._saved = Clock(**state["clock"])
            self._history, self._seconds = state["history"], state["seconds"]
            say(f"resuming from step {self._clock.step:,}")
        self._began = time.monotonic() - self._seconds
        if self._clock.tokens >= self._total:
            if self._folder.lacks(MODEL_FILES):
                self._write(trainer)
            return
        started, first = None, 0
        save, evaluate = Due(50, 0.1), Due(30, 2.0)
        for batch, after in self._batches():
            rate = learning_rate(
                self._recipe.learning_rate_adam, self._clock.tokens, after.tokens, self._total
            )
            loss = trainer.step(batch, after.step, rate)
            self._refuse_infinite(loss, "the loss")
            self._losses.append(loss)
            self._clock = after
            now = time.monotonic()
            if started is None:  # the first step waits for TensorFlow, so it does not count
                started, first = now, after.tokens
            elif now > started:
                self._rate = (after.tokens - first) / (now - started)
            last = after.tokens >= self._total
            if evaluate or last:
                self._evaluate(trainer)
                self._write(trainer)
                evaluate.done(now)
            if save or last:
                now = time.monotonic()
                self._save(trainer)
                save.done(now)

    def _refuse_infinite(self, value: float, name: str) -> None:
        if not np.isfinite(value):
            raise UserError(
                f"{name} is not finite at step {self._clock.step + 1}: train into another `output` "
                "with a lower learning_rate_adam in `options`; the checkpoint of step "
                f"{self._saved.step} is kept"
            )

    def _batches(self) -> Any:
        """The batches from the clock on, each with the clock after it."""
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

    def _evaluate(self, trainer: Trainer) -> None:
        """Measure the averaged weights."""
        found = trainer.average.perplexity(self._held_batches)
        self._refuse_infinite(found.forward + found.backward, "the held-out perplexity")
        self._history.append(
            {
                "step": self._clock.step,
                "tokens": self._clock.tokens,
                "forward": found.forward,
                "backward": found.backward,
                "seconds": round(time.monotonic() - self._began, 1),
                "precision": trainer.precision,
            }
        )

    def _write(self, trainer: Trainer) -> None:
        """Write the averaged weights as a model that loads."""
        softmax = (trainer.average.arrays[name].numpy() for name in (SOFTMAX_W, SOFTMAX_B))
        contents = (
            "".join(f"{word}\n" for word in self.vocabulary).encode("utf-8"),
            softmax_bytes(*softmax),
            weights_bytes(trainer.average.weights()),
            options_text(self._options, self._recipe.to_json()).encode(),
            (json.dumps(self.report(), indent=2) + "\n").encode(),
        )
        for name, content in zip(MODEL_FILES, contents, strict=True):
            self._folder.write(name, content)

    def _save(self, trainer: Trainer) -> None:
        state = {
            "clock": asdict(self._clock),
            "history": self._history,
            "seconds": time.monotonic() - self._began,
        }
        self._folder.write_checkpoint(trainer.checkpoint(), state)
        self._saved = self._clock

    def report(self) -> dict[str, Any]:
        """The training's figures, as in training.json."""
        targets = np.concatenate([batch.targets for batch in self._held_batches], axis=1)
        return {
            "steps": self._clock.step,
            "predictions": self._clock.tokens,
            "predictions_planned": self._total,
            "predictions_per_epoch": self._predictions,
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

    def summary(self) -> list[str]:
        """The same for a person, in three lines."""
        report = self.report()
        last, held = self._history[-1], report["held_out"]
        return [
            self._folder.root,
            f"  trained             {counted(self._clock.step, 'step')}, "
            f"{counted(self._clock.tokens, 'token')} "
            f"({self._clock.tokens / self._predictions:.2f} epochs) in "
            f"{duration(report['seconds'])}",
            f"  held-out perplexity {last['forward']:.1f} forward, {last['backward']:.1f} "
            f"backward, on {counted(held['predictions'], 'token')}; "
            f"{counted(len(self.vocabulary), 'word')}, {held['unknown_rate']:.1%} <UNK>",
        ]


def _thinned(held: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Evenly spaced ones of the held-out sentences, if there are more than needed."""
    every = max(1, -(-int(lengths[held].sum()) // HELD_OUT_TOKENS))
    return held[::every]
