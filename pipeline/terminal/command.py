"""What every command provides."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from elmo_beam.pipeline.terminal.stopping import Stopper

TOGETHER = "\0"  # stands for a space at which no line is broken


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    summary: its line in the list of commands. add_flags: declares its flags. run: takes their
    values, and the flags that are Beam's as `beam_flags`; gives the exit code, or raises UserError.
    It imports what is slow to import, so that --help and wrong flags are answered at once.
    examples: command lines, each under what it does. beam_flags: whether it takes any.
    """

    summary: str
    description: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Stopper], int]
    examples: tuple[tuple[str, str], ...]
    note: str = ""
    beam_flags: bool = True

    def epilog(self) -> str:
        """What stands under the flags in --help."""
        width = shutil.get_terminal_size().columns - 2  # as argparse has it
        lines = [f"  {what}:\n{_continued(line, width)}" for what, line in self.examples]
        note = [textwrap.fill(self.note, width), ""] if self.note else []
        return "\n".join([*note, "examples:", *lines])


def _continued(line: str, width: int) -> str:
    """A command line over several lines of this width, as a shell joins them again.

    A flag and its value stay together.
    """
    parts = textwrap.wrap(
        re.sub(r"(--\w+) (?!-)", rf"\1{TOGETHER}", line),
        max(width - 2, 20),
        initial_indent=" " * 4,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(parts).replace(TOGETHER, " ")
