"""The `elmo-beam` command."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from elmo_beam import __version__
from elmo_beam.elmo.errors import ArgumentError, UserError, cause_of, memory_error
from elmo_beam.elmo.process import claim_process
from elmo_beam.pipeline.commands import COMMANDS
from elmo_beam.pipeline.terminal.command import Command
from elmo_beam.pipeline.terminal.config import read_config
from elmo_beam.pipeline.terminal.console import complain, lost_output, prepare
from elmo_beam.pipeline.terminal.flag_types import Parser, nearest, underscored
from elmo_beam.pipeline.terminal.stopping import Stopper, leave


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    with contextlib.suppress(OSError):  # standard error is closed
        # TensorFlow's is discarded at times; what is said of a crash in native code is not.
        faulthandler.enable(os.dup(2))
    leave(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """The command line's exit code: 0, 1 if something is not right, 2 for wrong flags."""
    # Our own lines say what happened; Beam would log a traceback first, and on import it warns of
    # extras that few need.
    logging.getLogger().setLevel(logging.CRITICAL)
    claim_process()
    prepare()
    with Stopper() as stop:
        code = _run_command(argv, stop)
    if lost := lost_output():
        complain(
            f"cannot write standard output ({cause_of(lost)}): send it elsewhere, run it again"
        )
        return code or 1
    return code


def _run_command(argv: list[str], stop: Stopper) -> int:
    """The exit code; every error becomes one line."""
    parser, parsers = _parsers()
    name, config = "", None
    try:
        if not argv:
            parser.print_help()
            return 0
        args, rest = parser.parse_known_args(argv)
        name = args.command
        if getattr(args, "config", None):
            config = read_config(args.config, parsers[name]).without_given(args, parsers[name])
            parsers[name].set_defaults(**config.values)
            args, rest = parser.parse_known_args(argv)
            rest = [*config.beam_flags, *rest]
        command: Command = args.chosen
        rest = [underscored(flag) for flag in rest]
        if rest:
            _check_beam_flags(rest, command, parsers[name])
        args.beam_flags = rest
        return command.run(args, stop)
    except UserError as error:
        # The command's own flags first: `elmo` writes some of them in another way.
        own = [parsers[name]] if name else []
        message = config.explained(str(error)) if config else str(error)
        complain(_with_flags(message, [*own, *parsers.values()]))
        return 2 if isinstance(error, ArgumentError) else 1
    except Exception as error:
        if ours := memory_error(error):
            complain(str(ours))
        elif isinstance(error, OSError):
            complain(f"{error.strerror or error} {error.filename or ''}".strip())
        else:
            raise
        return 1
    except SystemExit as end:  # --help, --version
        return int(end.code or 0)


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole command line, and that of each command."""
    parser = Parser(
        prog="elmo-beam",
        description="Turn text shards into ELMo vectors.",
        epilog="elmo-beam COMMAND --help shows a command's flags, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"elmo-beam {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers: dict[str, Parser] = {}
    for name, module in COMMANDS.items():
        command: Command = import_module(module).COMMAND
        parsers[name] = commands.add_parser(
            name, help=command.summary, description=command.description, epilog=command.epilog()
        )
        command.add_flags(parsers[name])
        parsers[name].set_defaults(chosen=command)
    return parser, parsers


def _check_beam_flags(flags: list[str], command: Command, parser: Parser) -> None:
    """Raises ArgumentError for a flag that is neither ours nor Beam's.

    The rest go to Beam's filesystems, which commands without a pipeline use too.
    """
    if not command.beam_flags:
        raise _unknown(flags[0], parser, [])
    from elmo_beam.pipeline.job.pipeline_options import use_flags_for_filesystems
    from elmo_beam.transforms.beam_internals import unknown_flags

    unknown, known = unknown_flags(flags)
    if unknown:
        raise _unknown(unknown[0], parser, known)
    use_flags_for_filesystems(flags)


def _unknown(argument: str, parser: Parser, beam: Sequence[str]) -> ArgumentError:
    flags = _flags_by_name(parser)
    if not argument.startswith("-"):
        remedy = "quote a glob, or give --input for each file"
        if "inputs" not in flags:
            remedy = f"see {parser.prog} --help"
        return ArgumentError(f"unexpected {argument!r}: {remedy}")
    flag = argument.split("=")[0]
    hint = nearest(flag, [*flags.values(), *beam], parser.prog)
    return ArgumentError(f"unknown flag {flag}: {hint}")


def _with_flags(message: str, parsers: Sequence[Parser]) -> str:
    """A message in which `argument` becomes the flag of that name, by the first parser with one."""
    flags: dict[str, str] = {}
    for parser in parsers:
        flags = {**_flags_by_name(parser), **flags}
    return re.sub(r"`(\w+)`", lambda match: flags.get(match[1], match[0]), message)


def _flags_by_name(parser: Parser) -> dict[str, str]:
    return {action.dest: flag for flag, action in parser.flags().items()}
