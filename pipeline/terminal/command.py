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
    beam_flags: whether it takes any.
    """

    summary: str
    description: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Stopper], int]
    epilog: str | None = None
    beam_flags: bool = True
