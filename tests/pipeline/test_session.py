"""The figures of a session: the peak memory of the command's own processes."""

from __future__ import annotations

import subprocess
import sys

LARGE = 1 << 29  # bytes; a process with the package and no model takes a fifth of it
OWN_PEAK = "from elmo_beam.pipeline.job.session import peak_memory; print(peak_memory())"


def printed(code: str) -> int:
    """The number that some code prints, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


def child(code: str) -> str:
    """Code that runs some code in a child."""
    return f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}]); "


def test_peak_memory_is_the_commands_not_that_of_what_started_it() -> None:
    assert printed(f"b'x' * {LARGE}; {child(OWN_PEAK)}") < LARGE / 2
    assert printed(child(OWN_PEAK)) > 1 << 20


def test_peak_memory_counts_what_is_free_again_and_children() -> None:
    grow = f"b'x' * {LARGE}; "
    assert printed(grow + OWN_PEAK) >= LARGE
    assert printed(child(grow) + OWN_PEAK) >= LARGE
