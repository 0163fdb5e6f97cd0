"""What the model of this process is at, for the progress of a run whose worker this process is.

A run's files say nothing of a block until it is finished, which takes a large model a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from elmo_beam.elmo.encoder.passes import Encoded, SentenceEncoder
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.normalize import SentenceBlock


@dataclass
class Activity:
    """What this process does.

    loading: whether a model is being loaded. loaded: when one last was, as time.monotonic has it.
    blocks: of each block that is not finished, by its
    stem, the lines and tokens that have been through the model.
    """

    loading: bool = False
    loaded: float | None = None
    blocks: dict[str, tuple[float, int]] = field(default_factory=dict)


ACTIVITY = Activity()


@contextmanager
def loading() -> Iterator[None]:
    """Say that a model is being loaded."""
    ACTIVITY.loading = True
    try:
        yield
    finally:
        ACTIVITY.loading = False
    ACTIVITY.loaded = time.monotonic()


class WatchedEncoder:
    """An encoder of one block's sentences that says how far it is."""

    def __init__(self, encoder: SentenceEncoder, block: SentenceBlock) -> None:
        self.options, self._encoder, self._block = encoder.options, encoder, block

    def passes(self, sentences: Sentences, outputs: Sequence[str]) -> Iterator[Encoded]:
        """The encoder's passes."""
        lines, tokens = self._block.total("lines"), 0
        for encoded in self._encoder.passes(sentences, outputs):
            yield encoded
            tokens += encoded.steps // 2
            share = tokens / max(len(sentences.ids), 1)
            ACTIVITY.blocks[self._block.key.stem] = lines * share, tokens


def finished(block: SentenceBlock) -> None:
    """A block is on the disk: its accounts say what is in it."""
    ACTIVITY.blocks.pop(block.key.stem, None)
