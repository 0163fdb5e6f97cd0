"""The types of flags, and the answer to a mistake in one."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from elmo_beam.elmo.arguments import plain_path
from elmo_beam.elmo.errors import ArgumentError, cause_of
from elmo_beam.elmo.model.outputs import check_output_names
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.transforms.words.finder import checked_words

SEPARATOR = re.compile(r",(?![^\[(<]*[\])>])")
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps what is one paragraph, and leaves alone what has lines of its own."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Answers a mistake with one line, and accepts no abbreviation of a flag.

    Dashes within a flag's name are as good as underscores.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["allow_abbrev"] = False
        kwargs.setdefault("formatter_class", _HelpFormatter)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def flags(self) -> dict[str, argparse.Action]:
        """Every flag, by the name that is written."""
        named = [action for action in self._actions if action.option_strings]
        return {action.option_strings[-1]: action for action in named}

    def value_of(self, action: argparse.Action, text: str) -> Any:
        """A flag's value of some text; argparse.ArgumentError if it cannot be one."""
        value = self._get_value(action, text)
        self._check_value(action, value)
        return value

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse has it, with the flags as they are written."""
        given = sys.argv[1:] if args is None else args
        return super().parse_known_args([self._as_written(arg) for arg in given], namespace)

    def _as_written(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        known = self._option_string_actions
        if name.startswith("--") and name not in known:
            for other in (underscored(name), "--" + name[2:].replace("_", "-")):
                if other in known:
                    return other + equals + value
        return argument

    def _print_message(self, message: str, file: object = None) -> None:
        say(*message.splitlines())

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            hint = nearest(value, list(action.choices), self.prog)
            raise ArgumentError(f"unknown command {value}: {hint}")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message} (see {self.prog} --help)")


def underscored(flag: str) -> str:
    """`--flag-name=a-b` as `--flag_name=a-b`."""
    name, equals, value = flag.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value if flag[:2] == "--" else flag


def written_flags(name: str, value: object) -> list[str]:
    """A flag as a command line has it: once for each of several values, without one for True."""
    flags = []
    for one in value if isinstance(value, list | tuple) else [value]:
        if one is True:
            flags.append(f"--{name}")
        elif one is not None and one is not False:
            flags.append(f"--{name}={json.dumps(one) if isinstance(one, dict) else one}")
    return flags


def nearest(word: str, known: Sequence[str], prog: str) -> str:
    """What may have been meant, or where to look."""
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {near[0]}?" if near else f"see {prog} --help"


def size(text: str) -> int:
    """Bytes, as in 65536, 256k, 64M or 1GiB."""
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: write it as 65536, 256k or 1GiB")
    return int(match[1]) * UNITS[match[2]]


def written_size(value: int) -> str:
    """Bytes as `size` takes them, in the largest unit that divides them."""
    unit = [unit for unit, size in UNITS.items() if value % size == 0][-1]
    return f"{value // UNITS[unit]}{unit}"


def count(text: str) -> int:
    """A number from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def count_from_zero(text: str) -> int:
    """A number from 0."""
    return 0 if text == "0" else count(text)


def number(text: str) -> float:
    """A positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def path(text: str) -> str:
    """A path or URL; an empty one comes from an unset variable of the shell.

    The shell puts the home folder for `~` in `--output ~/out`, but not in `--output=~/out`.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name")
    try:
        return plain_path(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def word(text: str) -> str:
    """One token."""
    if not text or text.split() != [text]:
        raise argparse.ArgumentTypeError(f"{text!r} is not one word")
    return text


def word_list(text: str) -> tuple[str, ...]:
    """The words of a file, one on each line."""
    path = plain_path(text)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        return checked_words(lines)
    except UnicodeDecodeError as error:
        why = f"{path!r} is not UTF-8 (byte {error.start}): convert it first"
        raise argparse.ArgumentTypeError(why) from None
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {path!r} ({cause_of(error)})") from None
    except ArgumentError:
        raise argparse.ArgumentTypeError(f"{path!r} has no word") from None


def field_list(text: str) -> tuple[str, ...]:
    """Kept fields, separated by commas; one in the brackets of a type is part of it."""
    entries = tuple(entry.strip() for entry in SEPARATOR.split(text) if entry.strip())
    if not entries:
        raise argparse.ArgumentTypeError("names no field")
    return entries


def outputs(text: str) -> tuple[str, ...]:
    """Names of outputs, separated by commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    try:
        check_output_names(names)
    except ArgumentError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("`outputs` ")) from None
    return names
