"""Standard output, whoever reads it: a pipe may close, a disk be full, an encoding be narrow."""

from __future__ import annotations

import contextlib
import os
import sys


def prepare() -> None:
    """Let a narrow encoding replace what it cannot say."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def say(text: str, end: str = "\n") -> None:
    """Print to standard output; if nobody can read it, the command goes on all the same."""
    try:
        print(text, end=end, flush=True)
    except OSError:  # as in `elmo-beam inspect DIR | head`
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print one line of trouble to standard error."""
    with contextlib.suppress(OSError):
        print(f"elmo-beam: {text}", file=sys.stderr, flush=True)
