"""The `elmo-beam` command."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any, NoReturn

from elmo.errors import UserError
from pipeline import flags
from pipeline.console import complain, prepare, say
from pipeline.stopping import Stopper, leave

STOPPED = "stopped before anything was done; the same command continues"


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    code = run(sys.argv[1:])
    say("", end="")  # what argparse has printed is still in the buffer
    leave(code)


def run(argv: list[str]) -> int:
    """The command line's exit code: 0, 1 where something is not right, 2 for wrong flags."""
    # Our own lines say what happened; Beam would log a traceback first, and on import it warns of
    # extras that few need.
    logging.getLogger().setLevel(logging.CRITICAL)
    prepare()
    with Stopper() as stop:
        return _answered(argv, stop)


def _answered(argv: list[str], stop: Stopper) -> int:
    """The exit code, with every error said in one line."""
    try:
        args, rest = flags.parser().parse_known_args(argv)
        if args.command == "embed":
            stop.describe = lambda: STOPPED
        if rest and args.command == "elmo":  # as AllenNLP's, it runs here
            raise flags.unknown(rest[0], args.command)
        # Commands that run no pipeline take Beam's flags too: some say how to reach a filesystem.
        options = _beam_options(rest, args.command) if rest else None
        if args.command in ("embed", "plan", "train", "evaluate"):
            flags.check(args)
        return _dispatch(args, options, stop)
    except flags.FlagError as error:
        complain(str(error))
        return 2
    except UserError as error:
        complain(str(error))
        return 1
    except OSError as error:
        complain(f"{error.strerror or error} {error.filename or ''}".strip())
        return 1
    except SystemExit as end:  # --help, --version
        return int(end.code or 0)


def _beam_options(rest: list[str], command: str) -> Any:
    from pipeline.beam_options import beam_options

    return beam_options(rest, command)


def _dispatch(args: argparse.Namespace, options: Any, stop: Stopper) -> int:
    """Import only what the command needs."""
    if args.command == "embed":
        from pipeline.embed import embed

        return embed(args, options, stop)
    if args.command == "plan":
        from pipeline.plan import plan

        return plan(args)
    if args.command == "train":
        from pipeline.train import train

        return train(args, stop)
    if args.command == "evaluate":
        from pipeline.evaluate import evaluate

        return evaluate(args)
    if args.command == "elmo":
        from pipeline.allennlp import elmo

        return elmo(args, stop)
    if args.command == "verify":
        from pipeline.verify import verify

        return verify(args.output)
    if args.command == "report":
        from pipeline.page import report

        return report(args.output)
    from pipeline.inspect import inspect

    return inspect(args.output, args.rows, args.word)
