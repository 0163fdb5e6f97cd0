"""What a pooled run does besides embedding: it counts words before, and merges them after."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.progress import Counting
from elmo_beam.pipeline.job.state import RunState, plans_of, read_state
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings, record_settings
from elmo_beam.transforms.files.storage import delete
from elmo_beam.transforms.readers.pooled_words import parts_of, write_words
from elmo_beam.transforms.readers.run import open_run
from elmo_beam.transforms.top_words import recorded_top_words


def with_recorded_words(layout: Layout, settings: Settings, recorded: Settings | None) -> Settings:
    """The settings with the list that the run has counted, if it has: it is counted once."""
    if settings.top_words is None:
        return settings
    if recorded is None:  # run.json is lost: the list says what the run's blocks were made with
        return replace(settings, words=recorded_top_words(layout))
    return replace(settings, words=recorded.words if recorded.top_words is not None else ())


def with_counted_words(
    layout: Layout,
    settings: Settings,
    paths: Sequence[str],
    firsts: Sequence[str],
    job: Job,
    stop: Stopper,
    status: Status,
) -> Settings:
    """The settings with the most frequent tokens of the input, which are counted and recorded.

    firsts: the first file of each plan. Raises UserError if a file cannot be read, since the list
    would hang on that.
    """
    from elmo_beam.pipeline.job.running import run_transform
    from elmo_beam.transforms.count_words import TopWords

    delete(layout.top_words)
    watch = Counting(len(paths), status)
    run_transform(lambda: TopWords(layout, settings), firsts, layout, job, watch, stop, status)
    state = read_state(layout, settings, plans_of(layout, paths), paths)
    for shard in state.shards:
        if shard.plan is None or shard.plan.unread is not None:
            raise UserError(f"cannot count words: {problems(RunState([shard]))[0]}")
    words = recorded_top_words(layout)
    if not words:
        damaged = problems(RunState([s for s in state.shards if s.plan and s.plan.damaged]))
        raise UserError([*damaged, "no word to pool: `inputs` have no text"][0])
    settings = replace(settings, words=words)
    record_settings(layout, settings, replace=True)
    return settings


def update_words(layout: Layout, settings: Settings, state: RunState, status: Status) -> None:
    """Make words.parquet of the parts if the run is complete, unless it is of these already."""
    if not settings.pool:
        return
    if not state.complete:
        delete(layout.words)
        return
    run, parts = open_run(layout.root, allow_incomplete=True), digest_of_parts(state)
    if parts_of(run) == parts:
        return

    def progress(done: int, of: int) -> None:
        status.show(done / of, f"merged {done:,} of {counted(of, 'part')}")

    write_words(run, parts, progress)
    status.end()


def digest_of_parts(state: RunState) -> str:
    """What says of which parts a words.parquet is."""
    parts = sorted(accounts.sha256 for accounts in state.done.values())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
