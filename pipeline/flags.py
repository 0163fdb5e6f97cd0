"""The command line's flags and what each may be. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import NoReturn

from elmo.errors import UserError
from pipeline import __version__
from transforms.settings import Settings

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
DEFAULTS = Settings(digest="")


class FlagError(UserError):
    """A wrong flag: exit 2."""


class Parser(argparse.ArgumentParser):
    """Answers a mistake with one line, and takes no abbreviation for a flag."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["allow_abbrev"] = False
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise FlagError(f"{message} (see {self.prog} --help)")


def size(text: str) -> int:
    """Bytes, as in 65536, 256k, 64M or 1GiB."""
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it as 65536, 256k or 1GiB")
    return int(match[1]) * UNITS[match[2]]


def count(text: str) -> int:
    """A number from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def rate(text: str) -> float:
    """A positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def path(text: str) -> str:
    """A path or URL: an unset variable of the shell is none."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name")
    return text


def word(text: str) -> str:
    """One token."""
    if not text or text.split() != [text]:
        raise argparse.ArgumentTypeError(f"{text!r} is not one word")
    return text


def outputs(text: str) -> tuple[str, ...]:
    """Names of outputs, parted by commas."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not re.fullmatch(r"word_emb|lstm_outputs[1-9]\d*|elmo|default", name):
            raise argparse.ArgumentTypeError(
                f"{name!r} is no output: choose among word_emb, lstm_outputs1, lstm_outputs2, …, "
                "elmo, default"
            )
    if not names:
        raise argparse.ArgumentTypeError("name at least one output")
    return tuple(dict.fromkeys(names))


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="elmo-beam", description="Turn text shards into ELMo vectors.")
    top.add_argument("--version", action="version", version=f"elmo-beam {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    embed = commands.add_parser(
        "embed",
        help="embed text shards; the same command continues a run",
        description="Embed text shards. Run again, the same command continues where it stopped.",
        epilog="Any other flag goes to Beam: --runner FlinkRunner --flink_master HOST:PORT …",
    )
    _add_files(embed)
    _add_settings(embed)
    embed.add_argument("--overwrite", action="store_true", help="start afresh in --output")
    plan = commands.add_parser(
        "plan",
        help="say what a run would do",
        description="Read and tokenize the input, and say what `embed` with these flags would do.",
    )
    _add_files(plan)
    _add_settings(plan)
    plan.add_argument("--overwrite", action="store_true", help=argparse.SUPPRESS)
    plan.add_argument(
        "--rate", type=rate, metavar="N", help="tokens a second, to say how long it would take"
    )
    verify = commands.add_parser("verify", help="re-read everything a run wrote, and check it")
    verify.add_argument("output", type=path, metavar="DIR", help="the run's output folder")
    inspect = commands.add_parser("inspect", help="show a run to a person")
    inspect.add_argument("output", type=path, metavar="DIR", help="the run's output folder")
    inspect.add_argument("--rows", type=count, default=3, metavar="N", help="rows to show (3)")
    inspect.add_argument(
        "--word",
        type=word,
        metavar="WORD",
        help="show the nearest neighbours of a word in its contexts",
    )
    return top


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        action="append",
        type=path,
        metavar="FILE",
        help="a file or glob, local or a URL; give it again for more. Text, .jsonl, .parquet; "
        "text and .jsonl may be .gz, .bz2, .zst",
    )
    parser.add_argument("--output", type=path, metavar="DIR", help="where the run goes")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    d = DEFAULTS
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        default=d.model,
        metavar="HANDLE",
        help="`default`, a folder with options.json and *.hdf5, or a TF-Hub module's folder or URL",
    )
    model.add_argument(
        "--engine",
        choices=("native", "module"),
        default=d.engine,
        help="`module` runs a hub module itself, slowly, for checking (native)",
    )
    model.add_argument(
        "--memory", type=size, default=d.memory, metavar="SIZE", help="for vectors in work (1GiB)"
    )
    made = parser.add_argument_group("output")
    made.add_argument(
        "--outputs",
        type=outputs,
        default=d.outputs,
        metavar="NAMES",
        help="of word_emb, lstm_outputs1, …, elmo, default; parted by commas (elmo)",
    )
    made.add_argument("--format", choices=("parquet", "tfrecord"), default=d.format)
    made.add_argument("--dtype", choices=("float32", "float16"), default=d.dtype)
    made.add_argument(
        "--pad_to", type=count, metavar="N", help="pad tokens and vectors to N (TFRecord only)"
    )
    made.add_argument(
        "--block_size",
        type=size,
        default=d.block_size,
        metavar="SIZE",
        help="text of one part file (256k)",
    )
    text = parser.add_argument_group("text")
    text.add_argument("--normalize", choices=("nfc", "none"), default=d.normalize)
    text.add_argument("--tokenizer", choices=("moses", "whitespace"), default=d.tokenizer)
    text.add_argument("--language", default=d.language, metavar="CODE", help="for moses (en)")
    text.add_argument("--split_sentences", action="store_true", help="cut lines into sentences")
    text.add_argument(
        "--max_tokens", type=count, default=d.max_tokens, metavar="N", help="a sentence (5000)"
    )
    text.add_argument(
        "--long_sentences",
        choices=("reject", "truncate", "split"),
        default=d.long_sentences,
        help="what to do with sentences of more than --max_tokens (reject)",
    )
    text.add_argument("--text_field", default=d.text_field, metavar="NAME", help="JSON (text)")
    text.add_argument("--text_column", default=d.text_column, metavar="NAME", help="Parquet (text)")
    text.add_argument("--id_field", metavar="NAME", help="JSON or Parquet, copied to column id")


def check(args: argparse.Namespace) -> None:
    """Raises FlagError for flags that are missing, or do not go together."""
    # Not left to argparse, which would name --output where --ouput is the mistake.
    if not args.input:
        raise FlagError("--input is missing: name a file or a quoted glob")
    if args.command == "embed" and not args.output:
        raise FlagError("--output is missing: name a folder for the run")
    if args.pad_to is not None:
        if args.format != "tfrecord":
            raise FlagError("--pad_to is for --format tfrecord: Parquet keeps sentences ragged")
        if args.max_tokens > args.pad_to:
            raise FlagError(
                f"--pad_to {args.pad_to} is less than --max_tokens {args.max_tokens}: "
                "give --max_tokens no larger than --pad_to"
            )
    if args.format == "tfrecord" and args.dtype == "float16":
        raise FlagError("--dtype float16 is for --format parquet: TFRecord keeps float32")
    if args.tokenizer == "moses" and args.language != DEFAULTS.language:
        from transforms.text import check_language

        try:
            check_language(args.language)
        except UserError as error:
            raise FlagError(str(error)) from None


def unknown(argument: str, command: str, beam: Sequence[str] = ()) -> FlagError:
    """The error for an argument that is neither ours nor among Beam's flags."""
    if not argument.startswith("-"):
        return FlagError(f"unexpected {argument!r}: quote a glob, or give --input for each file")
    flag = argument.split("=")[0]
    near = difflib.get_close_matches(flag, [*own_flags(command), *beam], 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"see elmo-beam {command} --help"
    return FlagError(f"unknown flag {flag}: {hint}")


def own_flags(command: str) -> list[str]:
    """Every flag of one of our commands."""
    subparsers = parser()._subparsers
    assert subparsers is not None
    chosen = subparsers._group_actions[0].choices[command]  # type: ignore[index]
    return sorted(chosen._option_string_actions)
