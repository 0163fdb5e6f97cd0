"""Standard output that may fail: a closed pipe, a full disk, a narrow encoding."""

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
    """Print to standard output; if nobody can read it, the command continues."""
    try:
        print(text, end=end, flush=True)
    except OSError:  # as in `elmo-beam inspect DIR | head`
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """Print one line of trouble to standard error."""
    with contextlib.suppress(OSError):
        print(f"elmo-beam: {text}", file=sys.stderr, flush=True)
