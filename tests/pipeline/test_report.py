"""What a run reports of itself."""

from __future__ import annotations

import subprocess
import sys

LARGE = 1 << 29  # bytes; a process with the package and no model takes a fifth of it
OWN_PEAK = "from pipeline.report import peak_memory; print(peak_memory())"


def peak_below(parent: str) -> int:
    """The peak that a process finds whose parent ran some code first."""
    code = f"import subprocess, sys; {parent}; subprocess.run([sys.executable, '-c', {OWN_PEAK!r}])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


def test_peak_memory_is_the_commands_not_that_of_what_started_it() -> None:
    assert peak_below(f"b'x' * {LARGE}") < LARGE / 2
    assert peak_below("pass") > 1 << 20


def test_peak_memory_counts_what_is_free_again_and_children() -> None:
    own = f"b'x' * {LARGE}; {OWN_PEAK}"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', \"b'x' * {LARGE}\"]); "
    for code in (own, child + OWN_PEAK):
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        assert int(done.stdout) >= LARGE
