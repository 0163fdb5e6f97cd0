"""What every command provides."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from elmo_beam.pipeline.terminal.stopping import Stopper


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
        lines = [f"  {what}:\n    {line}" for what, line in self.examples]
        return "\n".join([*([self.note, ""] if self.note else []), "examples:", *lines])
