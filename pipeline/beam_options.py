"""Beam's own flags: passed through untouched, but never dropped."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.flags import FlagError, nearest_flag

LOCAL = ("DirectRunner", "FnApiRunner")


def beam_options(flags: list[str], own: list[str]) -> PipelineOptions:
    """Beam's options from the flags that are not ours; FlagError for one that is nobody's.

    `own` are our flags, for the hint. Beam itself drops what it does not know.
    """
    known, unknown = _parse(flags)
    for flag in unknown:
        name = flag.split("=")[0]
        raise FlagError(f"unknown flag {name}{nearest_flag(name, [*own, *known])}")
    options = PipelineOptions(flags)
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise FlagError(
            "--direct_running_mode multi_threading loses records in Beam 2.77: "
            "use multi_processing or in_memory"
        )
    return options


def is_local(options: PipelineOptions) -> bool:
    """Whether the job runs in this process and its children."""
    return (options.view_as(StandardOptions).runner or LOCAL[0]) in LOCAL


def runner_of(options: PipelineOptions) -> Any:
    """The in-process runner by name, for DirectRunner would fetch another first; else Beam's."""
    return FnApiRunner() if is_local(options) else None


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
            _, unknown = parser.parse_known_args(flags)
    except SystemExit:
        message = errors.getvalue().strip().splitlines()[-1].split("error: ")[-1]
        raise FlagError(f"{message} (a flag of Beam's)") from None
    return sorted(parser._option_string_actions), unknown


def _descendants(cls: type) -> set[type]:
    found: set[type] = set()
    subclasses: list[type] = cls.__subclasses__()
    for sub in subclasses:
        found |= {sub, *_descendants(sub)}
    return found
