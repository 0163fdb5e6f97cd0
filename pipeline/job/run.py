"""A job from its beginning to its end: check, run what is left to do, account for it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from elmo_beam.elmo.encoder.precision import check_precision
from elmo_beam.pipeline.job.folder import folder_held
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.job.manifest import finish
from elmo_beam.pipeline.job.planning import arranged, first_files
from elmo_beam.pipeline.job.pooling import (
    update_words,
    with_counted_words,
    with_recorded_words,
)
from elmo_beam.pipeline.job.progress import Progress
from elmo_beam.pipeline.job.session import Session, peak_memory
from elmo_beam.pipeline.job.state import (
    RunState,
    delete_stale,
    names_of,
    plans_of,
    read_state,
    state_now,
)
from elmo_beam.pipeline.terminal.console import complain
from elmo_beam.pipeline.terminal.inputs import input_files
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.transforms.activity import ACTIVITY
from elmo_beam.transforms.files.layout import Layout, layout_of
from elmo_beam.transforms.files.remote import check_output
from elmo_beam.transforms.files.settings import Settings, recorded_settings
from elmo_beam.transforms.files.storage import clear_temporary, delete
from elmo_beam.transforms.kept_fields import with_field_types
from elmo_beam.transforms.packs import Planned, recorded_plans
from elmo_beam.transforms.settings_checks import resolved


def run_job(job: Job, stop: Stopper, status: Status) -> tuple[Layout, RunState, Session]:
    """Run what is left to do, and account for it. Raises UserError.

    This process is the job's: its environment and its signal handlers change.
    """
    processes = _local_processes(job)
    if processes:
        check_precision(job.settings.precision)
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", encoder_threads(processes))
    layout = layout_of(job.output)
    check_output(layout.root)
    paths = input_files(job.inputs, layout.root)
    recorded = None if job.overwrite else recorded_settings(layout)
    settings = with_field_types(resolved(job.settings), paths, recorded)
    if not job.overwrite:
        settings = with_recorded_words(layout, settings, recorded)
    with folder_held(layout, settings, job.overwrite, complain) as check_held:
        planned = arranged(layout, paths, recorded_plans(layout), settings)
        if settings.top_words is not None and not settings.words:
            firsts = list(first_files(paths, planned).values())
            settings = with_counted_words(layout, settings, paths, firsts, job, stop, status)
            planned = plans_of(layout, paths)
        seen = names_of(layout)
        state = state_now(layout, settings, paths, planned)
        session = Session()
        if state.pending:
            for path in (layout.success, layout.words) if settings.pool else (layout.success,):
                delete(path)
            session, state = _run_pipeline(layout, settings, state, planned, job, stop, status)
        check_held()
        delete_stale(layout, state, seen)
        check_held()
        update_words(layout, settings, state, status)
        check_held()
        finish(layout, state, settings, session)
        clear_temporary(layout.root)  # what killed workers have left
    return layout, state, session


def _local_processes(job: Job) -> int:
    """How many processes of this machine will run the model: 0 if a cluster's will."""
    if not job.beam_flags:
        return 1
    from elmo_beam.pipeline.job.pipeline_options import local_processes, pipeline_options

    return local_processes(pipeline_options(job.beam_flags))


def encoder_threads(processes: int) -> str:
    """TF_NUM_INTRAOP_THREADS with which this many processes, of two directions each, share cores.

    With more, the threads of one direction only wait for those of the other.
    """
    return str(max((os.cpu_count() or 1) // (2 * processes), 1))


def _run_pipeline(
    layout: Layout,
    settings: Settings,
    state: RunState,
    planned: Sequence[Planned],
    job: Job,
    stop: Stopper,
    status: Status,
) -> tuple[Session, RunState]:
    """Run the pipeline in a thread, showing progress; what that did, and the state after it."""
    from elmo_beam.pipeline.job.running import run_transform
    from elmo_beam.transforms.embed_shards import EmbedShards

    shards = [shard.path for shard in state.shards]
    firsts, known = first_files(shards, planned), {each.stem for each in state.plans}
    # A file with a new time but its old content keeps its blocks: they are not this session's.
    changed = [each for each in planned if each.stem not in known]
    before = state.done | read_state(layout, settings, changed).done
    began = time.monotonic()
    progress = Progress(layout, state, [stem for stem in firsts if stem not in known], status)

    def make() -> EmbedShards:
        return EmbedShards(layout.root, settings)

    paths = list(firsts.values())
    result, local = run_transform(make, paths, layout, job, progress, stop, status)
    seconds, loaded = time.monotonic() - began, ACTIVITY.loaded or 0.0
    after = read_state(layout, settings, plans_of(layout, shards), shards)
    session = Session(
        seconds=seconds,
        tokens=sum(
            accounts.total("tokens")
            for stem, accounts in after.done.items()
            if before.get(stem) != accounts
        ),
        start_up=loaded - began if loaded > began else None,
        model_load=_model_load(result),
        peak_memory=peak_memory() if local else 0,
    )
    return session, after


def _model_load(result: Any) -> float | None:
    """Seconds that loading the model took, by RunInference's own metrics."""
    try:
        found = result.metrics().query()["distributions"]
    except (NotImplementedError, ValueError, KeyError):
        return None
    loads = [m.result for m in found if m.key.metric.name == "load_model_latency_milli_secs"]
    return max((m.max for m in loads if m and m.count), default=0) / 1000 if loads else None
