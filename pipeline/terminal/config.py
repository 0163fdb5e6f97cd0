"""`--config FILE`: flags from a JSON file, which a run's own run.json may be."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from elmo_beam.elmo.arguments import plain_path
from elmo_beam.elmo.errors import ArgumentError, cause_of
from elmo_beam.pipeline.terminal.flag_types import Parser, written_flags
from elmo_beam.transforms.words.finder import checked_words

RECORDED_ONLY = ("digest", "options")  # settings in run.json that are no flags: the model's
NOT_IN_A_FILE = ("help", "config")
LISTS = ("inputs", "outputs", "keep_fields")
ALTERNATIVES = ("words", "top_words")  # a flag for one of them takes the place of the other


@dataclass(frozen=True)
class Config:
    """What a file gives: values of the command's flags by destination, and Beam's flags."""

    path: str
    values: dict[str, Any]
    beam_flags: list[str]

    def without_given(self, args: argparse.Namespace, parser: Parser) -> Config:
        """What counts beside the flags of a command line, as parsed without the file."""
        given = {name for name in self.values if getattr(args, name) != parser.get_default(name)}
        if any(getattr(args, name) is not parser.get_default(name) for name in ALTERNATIVES):
            given.update(ALTERNATIVES)
        values = {name: value for name, value in self.values.items() if name not in given}
        return replace(self, values=values)

    def explained(self, message: str) -> str:
        """A message, followed by which of the flags in it the file gives."""
        beam = {flag[2:].partition("=")[0] for flag in self.beam_flags}
        names = sorted(beam.union(self.values).intersection(re.findall(r"[`-](\w+)", message)))
        if not names:
            return message
        return f"{message} (from {self.path}: {', '.join(f'`{name}`' for name in names)})"


def read_config(path: str, parser: Parser) -> Config:
    """What a file gives to a command; ArgumentError.

    Keys are names of flags: `{"input": "*.txt", "outputs": ["elmo"], "runner": "FlinkRunner"}`.
    Those that the command does not have are Beam's. A value is what the flag takes, or its like in
    JSON: a number, true, or a list.
    """
    document = _read(path)
    if isinstance(document.get("settings"), dict):  # it is a run.json
        settings = document["settings"]
        if settings.get("top_words"):  # its words are those that were counted
            settings = {**settings, "words": []}
        flags = {name: settings[name] for name in settings if name not in RECORDED_ONLY}
        beside = {name: document[name] for name in document if name not in ("settings", "versions")}
        document = {**flags, **beside}
    actions = {
        option.lstrip("-"): action
        for option, action in parser.flags().items()
        if action.dest not in NOT_IN_A_FILE
    }
    found, beam = {}, []
    for key, value in document.items():
        name = key.lstrip("-").replace("-", "_")
        if value is None:
            continue
        try:
            if name in actions:
                found[actions[name].dest] = _value(parser, actions[name], value)
            elif name in NOT_IN_A_FILE:
                raise ArgumentError("is for the command line only")
            else:
                beam += _beam_flags(name, value)
        except (argparse.ArgumentError, argparse.ArgumentTypeError, ArgumentError) as error:
            why = getattr(error, "message", None) or error
            raise ArgumentError(f"{path}: {key}: {why}") from None
    return Config(path, found, beam)


def _read(path: str) -> dict[str, Any]:
    try:
        text = Path(plain_path(path)).read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=_each_once)
    except OSError as error:
        raise ArgumentError(f"cannot read `config` {path!r} ({cause_of(error)})") from None
    except ValueError as error:
        raise ArgumentError(f"`config` {path!r} is not JSON ({error})") from None
    if not isinstance(document, dict):
        example = '{"model": "default"}'
        raise ArgumentError(f"`config` {path!r} is not a JSON object, such as {example}")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"{twice[0]} is in it twice")
    return dict(pairs)


def _beam_flags(name: str, value: Any) -> list[str]:
    """A flag of Beam's, once for each of its values."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float) for one in values):
        raise ArgumentError(f"{json.dumps(value)} is not what a flag takes")
    return written_flags(name, value)


def _value(parser: Parser, action: argparse.Action, value: Any) -> Any:
    """A value of JSON as the flag has it."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ArgumentError(f"{json.dumps(value)} is not true or false")
        return value
    if action.dest == "words" and isinstance(value, list):
        return checked_words(value) if value else ()
    values = value if isinstance(value, list) and action.dest in LISTS else [value]
    if not all(type(one) in (str, int, float) for one in values):
        raise ArgumentError(f"{json.dumps(value)} is not what the flag takes")
    if action.dest == "inputs":
        return [parser.value_of(action, str(one)) for one in values]
    if not values:
        return action.default
    return parser.value_of(action, ",".join(map(str, values)))
