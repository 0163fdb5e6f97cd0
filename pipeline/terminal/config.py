"""`--config FILE`: flags from a JSON file, which a run's own run.json may be."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from elmo_beam.elmo.arguments import plain_path
from elmo_beam.elmo.errors import ArgumentError, cause_of
from elmo_beam.pipeline.terminal.flag_types import Parser, nearest
from elmo_beam.transforms.words.finder import checked_words

RECORDED_ONLY = ("digest", "options")  # settings in run.json that are no flags: the model's
NOT_IN_A_FILE = ("help", "config")
LISTS = ("inputs", "outputs", "keep_fields")


def config_values(path: str, parser: Parser) -> dict[str, Any]:
    """The values that a file gives to a command's flags, by destination; ArgumentError.

    Keys are names of flags, without dashes before them: `{"input": "*.txt", "outputs": ["elmo"]}`.
    A value is what the flag takes, or its like in JSON: a number, true, or a list.
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
    found = {}
    for key, value in document.items():
        name = key.replace("-", "_")
        if name not in actions:
            hint = nearest(name, list(actions), parser.prog)
            raise ArgumentError(f"{path}: no flag has the name {key!r}: {hint}")
        if value is not None:
            try:
                found[actions[name].dest] = _value(parser, actions[name], value)
            except (argparse.ArgumentError, argparse.ArgumentTypeError, ArgumentError) as error:
                why = getattr(error, "message", None) or error
                raise ArgumentError(f"{path}: {key}: {why}") from None
    return found


def _read(path: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(plain_path(path)).read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"cannot read `config` {path!r} ({cause_of(error)})") from None
    except ValueError as error:
        raise ArgumentError(f"`config` {path!r} is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise ArgumentError(f"`config` {path!r} is not a JSON object, such as {{'model': …}}")
    return document


def _value(parser: Parser, action: argparse.Action, value: Any) -> Any:
    """A value of JSON as the flag has it."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise ArgumentError(f"{value!r} is not true or false")
        return value
    if action.dest == "words" and isinstance(value, list):
        return checked_words(value) if value else ()
    values = value if isinstance(value, list) and action.dest in LISTS else [value]
    if not all(type(one) in (str, int, float) for one in values):
        raise ArgumentError(f"{value!r} is not what the flag takes")
    if action.dest == "inputs":
        return [parser.value_of(action, str(one)) for one in values]
    if not values:
        return action.default
    return parser.value_of(action, ",".join(map(str, values)))
