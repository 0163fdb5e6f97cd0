"""Everything printed goes through one module, which lets nothing in it drive the terminal."""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.terminal import status_line
from elmo_beam.pipeline.terminal.console import complain_at_once, printable
from elmo_beam.pipeline.terminal.status_line import StatusLine
from tests.test_floors import floor_files

CONSOLE = "elmo_beam.pipeline.terminal.console"
PRINTERS = {
    "print", "pprint", "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "os.write",
    "traceback.print_exc", "traceback.print_exception", "warnings.warn", "logging.warning",
}  # fmt: skip
PLURAL = (
    r"^ (?:parts|files|shards|blocks|rows|lines|sentences|tokens|words|uses|steps|things|problems"
    r"|columns|names|folders|workers|processes|layers)\b(?!/)"
)
ORDINARY = (
    "Zoë naïve e\u0301 größe", "日本語 한국어", "שלום \u200fמרחב", "क्\u200dष नमस्ते", "👩\u200d🚀 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "soft\u00adhyphen\u200b word\u2060joiner", r"C:\new\x1b", "█░",
)  # fmt: skip
FORGED = {
    "a\nelmo-beam: all well": r"a\nelmo-beam: all well",
    "a\rb": r"a\rb",
    "a\tb": r"a\tb",
    "\x1b[2J\x1b]0;t\x07": r"\x1b[2J\x1b]0;t\x07",
    "\x7f\x9b2J\x85": r"\x7f\x9b2J\x85",
    "\u2028\u2029": r"\u2028\u2029",
    "a\u202etxt.exe\u2066": r"a\u202etxt.exe\u2066",
    "\udcff\ud800": r"\udcff\ud800",
    "\0": r"\x00",
}


def printing(source: str) -> Iterator[str]:
    """Every mention of something that prints."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name | ast.Attribute) and (name := ast.unparse(node)) in PRINTERS:
            yield name
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from sorted(names & PRINTERS)


def test_nothing_prints_but_the_console() -> None:
    files = floor_files()
    assert set(printing(files.pop(CONSOLE))) == {"print", "sys.stdout", "sys.stderr", "os.write"}
    assert {name: found for name, source in files.items() if (found := [*printing(source)])} == {}


@pytest.mark.parametrize(
    "source",
    [
        "print('a')",
        "def f(): sys.stdout.write('a')",
        "sys.stderr.flush()",
        "from sys import stderr",
        "os.write(2, b'a')",
        "p = print",
        "import traceback\ntraceback.print_exc()",
    ],
)
def test_the_check_sees_what_prints(source: str) -> None:
    assert [*printing(source)]


def test_the_check_accepts_other_writing() -> None:
    assert [*printing("file.write('a')\nsys.stdin.read()\nos.writev(1, [])\n'print'")] == []


@pytest.mark.parametrize("text", FORGED)
def test_what_would_drive_a_terminal_is_shown_as_an_escape(text: str) -> None:
    assert printable(text) == FORGED[text]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters()))
def test_any_text_is_one_line_that_every_encoding_can_take(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert len(shown.splitlines()) <= 1
    for encoding in ("utf-8", "ascii", "latin-1"):
        shown.encode(encoding, "strict" if encoding == "utf-8" else "replace")
    assert printable(shown) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_line_from_a_signals_handler_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding))
    read, write = os.pipe()
    complain_at_once(write, "stopped in café\n\x1b[2J\udcff")
    os.close(write)
    shown = os.read(read, 999)
    os.close(read)
    cafe = "café" if encoding == "utf-8" else "caf?"
    assert shown == f"elmo-beam: stopped in {cafe}\\n\\x1b[2J\\udcff\n".encode(encoding)


def test_a_reader_that_left_does_not_keep_a_signal_from_ending_the_command() -> None:
    read, write = os.pipe()
    os.close(read)
    complain_at_once(write, "stopped")
    os.close(write)
    complain_at_once(write, "stopped")


def test_a_status_line_without_a_terminal_is_printed_only_when_it_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status_line, "LINE_EVERY", 0)
    status = StatusLine()
    for text in ("planned 0 of 3 files", "planned 0 of 3 files", "1 of 9 blocks", "a\nb", "a\nb"):
        status.show(0.1, text)
    status.end()
    assert capsys.readouterr().err == "planned 0 of 3 files\n1 of 9 blocks\na\\nb\n"


def uncounted(source: str) -> list[str]:
    """A number before a plural, in a string that is not put together by `counted`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for number, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                    found += re.findall(PLURAL, str(text.value))
    return found


def test_whatever_is_counted_goes_through_counted() -> None:
    files = floor_files()
    assert {name: found for name, source in files.items() if (found := uncounted(source))} == {}


def test_the_check_sees_a_plural_after_a_number() -> None:
    assert uncounted("f'{n:,} rows'") and uncounted("x = f'{a} of {b} blocks left'")
    assert not uncounted("f'{rate:,.0f} tokens/s, {name} has rows'")


@pytest.mark.parametrize(
    ("n", "shown"), [(0, "0 parts"), (1, "1 part"), (2, "2 parts"), (1234, "1,234 parts")]
)
def test_what_is_counted_has_its_number(n: int, shown: str) -> None:
    assert counted(n, "part") == shown
