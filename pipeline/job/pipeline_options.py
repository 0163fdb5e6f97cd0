"""Beam's own flags, and the pipeline that they ask for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DirectOptions,
    JobServerOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.pipeline.worker import HARNESS
from elmo_beam.transforms.beam_internals import unknown_flags
from elmo_beam.transforms.files.temporary import temporary_errors_explained

PROCESSES = "multi_processing"
LOCAL = ("DirectRunner", "FnApiRunner")


def pipeline_options(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options from its flags; ArgumentError for one that Beam does not know."""
    unknown, _ = unknown_flags(list(flags))
    if unknown:
        raise ArgumentError(f"`beam_options`: Beam has no flag {unknown[0].split('=')[0]}")
    options = PipelineOptions(list(flags))
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise ArgumentError(
            "--direct_running_mode multi_threading loses records in Beam 2.77: "
            "use multi_processing or in_memory"
        )
    # Java's -Xrs: Beam's job server outlives Ctrl-C, so that it can cancel the job on the cluster.
    server = options.view_as(JobServerOptions)
    server.job_server_jvm_properties = [*server.job_server_jvm_properties, "-Xrs"]
    return options


def use_flags_for_filesystems(flags: Sequence[str]) -> None:
    """Set the options of Beam's filesystems for this whole process."""
    FileSystems.set_options(PipelineOptions(list(flags)))


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs in this process and its children."""
    return (options.view_as(StandardOptions).runner or LOCAL[0]) in LOCAL


def local_processes(options: PipelineOptions) -> int:
    """How many processes of this machine run the model: 0 if a cluster's do."""
    if not is_local(options):
        return 0
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != PROCESSES:
        return 1
    return direct.direct_num_workers or os.cpu_count() or 1


def new_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """An empty pipeline; ArgumentError if Beam refuses the options.

    The in-process runner is created here, because DirectRunner would try to fetch another first.
    """
    try:
        runner = _local_runner(options) if is_local(options) else None
        with temporary_errors_explained():  # a pipeline makes a temporary folder of its own
            return beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError) as error:
        lines = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise ArgumentError(f"Beam refuses its flags: {lines}") from None


def _local_runner(options: PipelineOptions) -> FnApiRunner:
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != PROCESSES:
        return FnApiRunner()
    # As the runner itself would start its processes, except that they do not see the current
    # folder's modules, and log nothing to our terminal.
    direct.direct_running_mode = "in_memory"
    command = " ".join(shlex.quote(word) for word in [sys.executable, "-c", HARNESS])
    return FnApiRunner(
        default_environment=SubprocessSDKEnvironment.from_command_string(
            f"exec {command} 2>/dev/null"
        )
    )
