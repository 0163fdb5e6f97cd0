"""A transform over a job's files, run to its end on the runner that the job names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import apache_beam as beam

from elmo_beam.pipeline.job.cluster import submit
from elmo_beam.pipeline.job.failures import explained
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.job.pipeline_options import is_local, new_pipeline, pipeline_options
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.pipeline.terminal.threads import run_in_thread
from elmo_beam.transforms.files.layout import Layout


class Watch(Protocol):
    """What looks at a run's files while a pipeline writes them. interval: seconds between looks."""

    interval: float

    def update(self) -> None:
        """Look, and show how far it is."""

    def stopped(self) -> str:
        """What to print when the command is stopped here."""


def run_transform(
    make: Callable[[], beam.PTransform[Any, Any]],
    paths: Sequence[str],
    layout: Layout,
    job: Job,
    watch: Watch,
    stop: Stopper,
    status: Status,
) -> tuple[Any, bool]:
    """Beam's result, and whether the work was done on this machine. UserError if it failed."""
    options = pipeline_options(job.beam_flags)
    pipeline = new_pipeline(options)
    stop.describe = watch.stopped
    local = is_local(options)
    try:
        pipeline | "Shards" >> beam.Create(paths) | "Job" >> make()
        submitted = None if local else submit(pipeline, stop)

        def work() -> Any:
            result = submitted or pipeline.run()
            result.wait_until_finish()
            return result

        return run_in_thread(work, watch.update, watch.interval), local
    except BaseException as error:
        raise explained(error, layout) from None
    finally:
        status.end()
