"""`elmo-beam embed`: check, plan, run what is left to do, and account for it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import time
import traceback
from typing import Any

from elmo.errors import UserError
from elmo.models import read_weights
from elmo.outputs import checked_outputs
from elmo.precision import check_precision
from pipeline.console import complain, say
from pipeline.folder import folder_taken, settle
from pipeline.progress import Progress, shown
from pipeline.report import Session, finish, peak_memory, problems, summary
from pipeline.state import RunState, delete_stale, read_state
from pipeline.stopping import SIGNALS, Stopper, beside
from transforms.accounts import Accounts
from transforms.layout import Layout, layout_of, shard_stem
from transforms.plan import recorded_shards
from transforms.settings import Settings
from transforms.shards import Damaged, expand_inputs, stat_shard
from transforms.storage import clear_temporary, delete, list_names, write_bytes


def embed(args: argparse.Namespace, options: Any, stop: Stopper) -> int:
    """Run the command; 0 only where every line of every input is accounted for."""
    layout, state, session = run_job(args, options, stop)
    say(summary(layout, state, session))
    lines = problems(state)
    for line in lines:
        complain(line)
    return 1 if lines else 0


def run_job(
    args: argparse.Namespace, options: Any, stop: Stopper
) -> tuple[Layout, RunState, Session]:
    """Run what is left to do, and account for it.

    options: Beam's, or None where the command line had none.
    """
    processes = _local_processes(options)
    if processes:
        check_precision(args.precision)
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", encoder_threads(processes))
    layout = layout_of(args.output)
    paths = expand_inputs(args.input)
    settings = settings_of(args)
    with folder_taken(layout, args.overwrite):
        settle(layout, settings)
        _refuse_missing(layout, paths)
        state = read_state(layout, settings, paths)
        session = Session()
        if state.pending:
            delete(layout.success)
            session, state = _run(layout, settings, state, options, stop)
        delete_stale(layout, state)
        finish(layout, state, settings, session)
        clear_temporary(layout.root)  # what workers that were killed have left
    return layout, state, session


def _local_processes(options: Any) -> int:
    """How many processes of this machine will run the model: 0 where an engine's will."""
    if options is None:
        return 1
    from pipeline.beam_options import is_local, local_processes

    return local_processes(options) if is_local(options) else 0


def encoder_threads(processes: int) -> str:
    """TF_NUM_INTRAOP_THREADS with which as many processes, of two directions each, share the cores.

    With more, the threads of one direction only wait for each other's.
    """
    return str(max((os.cpu_count() or 1) // (2 * processes), 1))


def settings_of(args: argparse.Namespace) -> Settings:
    """The run's settings, with the model's digest and options; UserError if it cannot be read."""
    model = args.model
    if "://" not in model and model != "default":
        model = os.path.abspath(model)
    weights = read_weights(model, args.engine)
    given = {
        name: getattr(args, name) for name in vars(args) if name in Settings.__dataclass_fields__
    }
    outputs = tuple(checked_outputs(weights.options, args.outputs))
    return Settings(
        **{
            **given,
            "model": model,
            "outputs": outputs,
            "digest": weights.digest,
            "options": weights.options.to_json(),
        }
    )


def _refuse_missing(layout: Layout, paths: list[str]) -> None:
    """UserError where there are parts of files that are gone, or that `paths` leaves out."""
    parts = list_names(layout.parts)
    embedded = [
        path
        for path in recorded_shards(layout)
        if any(name.startswith(f"{shard_stem(path)}-") for name in parts)
    ]
    unnamed = sorted(set(embedded) - set(paths))
    if unnamed:
        raise UserError(
            f"{layout.root} has parts of files that --input no longer names ({shown(unnamed)}): "
            "name them too, or give another --output"
        )
    for path in embedded:
        try:
            stat_shard(path)
        except Damaged as damage:
            raise UserError(
                f"{layout.root} has parts of {path}, which {damage}: bring the file back, or give "
                "another --output"
            ) from None


def _run(
    layout: Layout, settings: Settings, state: RunState, options: Any, stop: Stopper
) -> tuple[Session, RunState]:
    """Run the pipeline in a thread, saying how far it is; what that did, and the state after."""
    from pipeline.beam_options import beam_options, is_local, new_pipeline
    from pipeline.graph import embed_shards

    options = options or beam_options([], "embed")
    pipeline = new_pipeline(options)
    shards = [shard.path for shard in state.shards]
    # A file with a new time and its old content has its blocks still: they are not this session's.
    changed = [shard.path for shard in state.shards if shard.plan is None]
    before = _blocks(state) | _blocks(read_state(layout, settings, changed, recorded=True))
    began = time.monotonic()
    progress = Progress(layout, state)
    stop.describe = progress.stopped
    try:
        embed_shards(pipeline, shards, layout, settings)
        local = is_local(options)
        submitted = None if local else _submitted(pipeline, options, stop)

        def work() -> Any:
            job = submitted or pipeline.run()
            job.wait_until_finish()
            return job

        result = beside(work, progress.update, progress.interval)
    except BaseException as error:
        raise _told(error, layout) from None
    finally:
        progress.end()
    after = read_state(layout, settings, shards, recorded=True)
    session = Session(
        seconds=time.monotonic() - began,
        tokens=sum(
            accounts.tokens
            for stem, accounts in _blocks(after).items()
            if before.get(stem) != accounts
        ),
        model_load=_model_load(result),
        # An engine's workers are none of this machine's children.
        peak_memory=peak_memory() * local,
    )
    return session, after


def _blocks(state: RunState) -> dict[str, Accounts]:
    return {stem: accounts for shard in state.shards for stem, accounts in shard.done.items()}


def _submitted(pipeline: Any, options: Any, stop: Stopper) -> Any:
    """A job handed over to its engine, which a signal cancels.

    A terminal sends Ctrl-C to Beam's job server too, which must live to pass the cancelling on: it
    begins with the signals blocked, and -Xrs keeps Java from unblocking them.
    """
    from apache_beam.options.pipeline_options import JobServerOptions

    options.view_as(JobServerOptions).job_server_jvm_properties.append("-Xrs")
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        job = pipeline.run()  # in the main thread, since Beam sets a signal handler of its own
    finally:
        stop.arm()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    stop.clean_up = job.cancel
    return job


def _model_load(result: Any) -> float | None:
    """Seconds that loading the model took, by RunInference's own metrics."""
    try:
        found = result.metrics().query()["distributions"]
    except (NotImplementedError, ValueError, KeyError):
        return None
    loads = [m.result for m in found if m.key.metric.name == "load_model_latency_milli_secs"]
    return max((m.max for m in loads if m and m.count), default=0) / 1000 if loads else None


def _told(error: BaseException, layout: Layout) -> UserError:
    """What went wrong, in one line.

    Our own errors arrive as text among a runner's traceback. Any other is none of the user's
    making: its traceback is kept in error.log.
    """
    if isinstance(error, UserError):
        return error
    ours = re.findall(r"UserError: (.+)", str(error))
    if ours:
        return UserError(re.sub(r"( \[while running .*)?$", "", ours[-1]))
    package = re.findall(r"No module named '(?:elmo|transforms|pipeline)\b.*?'", str(error))
    if package:
        return UserError(
            f"a worker has no elmo-beam ({package[0]}): install the same version wherever the "
            "engine starts its workers"
        )
    silent = re.findall(r"error=2, .*|Process died with exit code \d+", str(error))
    if silent:
        return UserError(
            f"a worker did not start ({silent[-1]}): see that the command that environment_config "
            "names runs wherever the engine starts its workers"
        )
    trace = "".join(traceback.format_exception(error))
    write_bytes(layout.root, layout.error_log, trace.encode())
    last = str(error).strip().splitlines()[-1:] or [""]
    return UserError(
        f"the job failed ({type(error).__name__}: {last[0]}): the traceback is in "
        f"{layout.error_log}; the same command continues"
    )
