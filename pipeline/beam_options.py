"""Beam's own flags: passed through untouched, but never dropped."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.flags import FlagError, unknown

PROCESSES = "multi_processing"
LOCAL = ("DirectRunner", "FnApiRunner")


def beam_options(flags: list[str], command: str) -> PipelineOptions:
    """Beam's options from the flags that are not ours; FlagError for one that is nobody's.

    Beam itself drops what it does not know.
    """
    known, rest = _parse(flags)
    if rest:
        raise unknown(rest[0], command, known)
    options = PipelineOptions(flags)
    FileSystems.set_options(options)
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise FlagError(
            "--direct_running_mode multi_threading loses records in Beam 2.77: "
            "use multi_processing or in_memory"
        )
    return options


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs in this process and its children."""
    return (options.view_as(StandardOptions).runner or LOCAL[0]) in LOCAL


def local_processes(options: PipelineOptions) -> int:
    """How many processes run the DoFns of a local job."""
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != PROCESSES:
        return 1
    return direct.direct_num_workers or os.cpu_count() or 1


def new_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """An empty pipeline; FlagError where Beam refuses the options.

    The in-process runner is made here, for DirectRunner would try to fetch another first.
    """
    try:
        runner = _local_runner(options) if is_local(options) else None
        return beam.Pipeline(runner=runner, options=options)
    except (ValueError, ImportError) as error:
        lines = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise FlagError(f"Beam refuses its flags: {lines}") from None


def _local_runner(options: PipelineOptions) -> FnApiRunner:
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != PROCESSES:
        return FnApiRunner()
    # As the runner itself would start its processes, but for what they log to our terminal.
    direct.direct_running_mode = "in_memory"
    python = shlex.quote(sys.executable)
    command = f"exec {python} -m apache_beam.runners.worker.sdk_worker_main 2>/dev/null"
    return FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))


def _parse(flags: list[str]) -> tuple[list[str], list[str]]:
    """Beam's flags, and those given that are none of them."""
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for cls in sorted(_descendants(PipelineOptions), key=lambda c: str(c.__name__)):
        if "_add_argparse_args" in cls.__dict__:
            add = cls._add_argparse_args  # type: ignore[attr-defined]
            with contextlib.suppress(Exception):  # two classes may define one flag
                add(parser)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            _, rest = parser.parse_known_args(flags)
    except SystemExit:
        message = errors.getvalue().strip().splitlines()[-1].split("error: ")[-1]
        raise FlagError(f"{message} (a flag of Beam's)") from None
    return sorted(parser._option_string_actions), rest


def _descendants(cls: type) -> set[type]:
    found: set[type] = set()
    subclasses: list[type] = cls.__subclasses__()
    for sub in subclasses:
        found |= {sub, *_descendants(sub)}
    return found
