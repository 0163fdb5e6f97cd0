"""A corpus read for training or measuring, with its progress shown."""

from __future__ import annotations

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.threads import run_in_thread
from elmo_beam.transforms.corpus import Corpus, read_corpus
from elmo_beam.transforms.files.settings import Settings

TICK = 0.5  # seconds between looks at how far the work is


def read_showing(
    paths: list[str], text: Settings, cache: tuple[str, str] | None, status: Status
) -> Corpus:
    """`read_corpus`, showing how far it is."""
    done = 0

    def count(files: int) -> None:
        nonlocal done
        done = files

    def show() -> None:
        status.show(done / len(paths), f"read {done} of {counted(len(paths), 'file')}")

    try:
        return run_in_thread(lambda: read_corpus(paths, text, cache, count), show, TICK)
    finally:
        status.end()
