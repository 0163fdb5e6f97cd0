"""The `elmo-beam` command."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

from elmo.errors import UserError
from pipeline import flags


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Beam and TensorFlow leave threads behind that can hold up, or break, an orderly end.
    os._exit(code)


def run(argv: list[str]) -> int:
    """The command line's exit code: 0, 1 where something is not right, 2 for wrong flags."""
    # Our own lines say what happened; Beam would log a traceback first, and on import it warns of
    # extras that few need.
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        args, rest = flags.parser().parse_known_args(argv)
        if rest and args.command != "embed":
            hint = flags.nearest_flag(rest[0].split("=")[0], flags.own_flags(args.command))
            raise flags.FlagError(f"unknown argument {rest[0]}{hint}")
        if args.command in ("embed", "plan"):
            flags.check(args)
        return _dispatch(args, rest)
    except flags.FlagError as error:
        print(f"elmo-beam: {error}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"elmo-beam: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `elmo-beam inspect DIR | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("elmo-beam: stopped", file=sys.stderr)
        return 130
    except SystemExit as end:  # --help, --version
        return int(end.code or 0)


def _dispatch(args: flags.argparse.Namespace, rest: list[str]) -> int:
    """Import only what the command needs."""
    if args.command == "embed":
        from pipeline.embed import embed

        return embed(args, rest)
    if args.command == "plan":
        from pipeline.plan import plan

        return plan(args)
    if args.command == "verify":
        from pipeline.verify import verify

        return verify(args.output)
    from pipeline.inspect import inspect

    return inspect(args.output, args.rows, args.word)
