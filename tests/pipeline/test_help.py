"""Help that answers: every flag with its text and default, examples that are valid, 80 columns."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from elmo_beam.pipeline import cli
from elmo_beam.pipeline.commands import COMMANDS
from elmo_beam.pipeline.terminal.flag_types import Parser
from tests.helpers.command import elmo_beam

PARSER, PARSERS = cli._parsers()
EXAMPLES = [
    (name, line)
    for name, parser in PARSERS.items()
    for line in re.findall(
        r"^ {4}(elmo-beam .*)$", str(parser.epilog).replace(" \\\n" + " " * 6, " "), re.M
    )
]


def flags_of(parser: Parser) -> list[argparse.Action]:
    return [a for a in parser.flags().values() if a.help != argparse.SUPPRESS]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_a_text_and_names_its_default(name: str) -> None:
    for action in flags_of(PARSERS[name]):
        assert action.help and len(action.help) > 7, action.option_strings
        if action.default not in (None, False, [], (), argparse.SUPPRESS):
            assert "(default: " in action.help, action.option_strings


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_its_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 70):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, elmo_beam(name, "--help").out.splitlines())) <= columns


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_three_examples(name: str) -> None:
    assert len([line for of, line in EXAMPLES if of == name]) >= 3


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_every_example_is_understood(name: str, line: str, tmp_path: object) -> None:
    words = shlex.split(line.split(" && ")[0])[1:]
    if "words.txt" in words:
        words[words.index("words.txt")] = __file__  # it is read as the flags are
    args, rest = PARSER.parse_known_args(words)
    assert args.command == name and rest == []


def test_the_bare_command_shows_what_there_is() -> None:
    shown = elmo_beam()
    assert shown.code == 0 and shown.out == elmo_beam("--help").out
    for name in COMMANDS:
        assert re.search(rf"^ +{name} ", shown.out, re.M)
    assert "elmo-beam COMMAND --help" in shown.out


@pytest.mark.parametrize(
    ("command", "given", "meant"),
    [
        ("embed", ("--max-tokens", "9"), {"max_tokens": 9}),
        ("embed", ("--id-field=a-b",), {"id_field": "a-b"}),
        ("embed", ("--split-sentences", "--keep-fields=a:int8"), {"split_sentences": True}),
        ("train", ("--init-from", "model"), {"init_from": "model"}),
        ("elmo", ("in", "out", "--all", "--options_file", "o.json"), {"options_file": "o.json"}),
    ],
)
def test_dashes_and_underscores_are_the_same(
    command: str, given: tuple[str, ...], meant: dict[str, object]
) -> None:
    args, rest = PARSER.parse_known_args([command, *given])
    assert rest == [] and meant.items() <= vars(args).items()


def test_beams_flags_may_have_dashes_too() -> None:
    flags = ("--input", "nowhere.txt", "--output", "out", "--direct-num-workers", "2")
    elmo_beam("embed", *flags).refuses("nowhere.txt")  # and not the flag
    elmo_beam("embed", *flags[:4], "--direct-num-worker", "2").refuses(
        "--direct_num_workers", code=2
    )
