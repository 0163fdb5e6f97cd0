"""A process that is ours is quiet; a caller's is left as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from elmo_beam.elmo.process import claim_process, is_claimed, quiet_stderr, visible_stderr

if sys.argv[1:] == ["claimed"]:
    claim_process()
os.write(2, b"before\\n")
with quiet_stderr():
    os.write(2, b"outer\\n")
    with quiet_stderr():
        os.write(2, b"inner\\n")
        os.write(visible_stderr(), b"to the user\\n")
    os.write(2, b"outer again\\n")
os.write(2, b"after\\n")
try:
    with quiet_stderr():
        raise KeyError
except KeyError:
    os.write(visible_stderr(), b"after an error\\n")
    os.write(2, b"and on 2\\n")
print(is_claimed(), os.environ.get("TF_CPP_MIN_LOG_LEVEL"), "tensorflow" in sys.modules)
"""


def run(*arguments: str, log_level: str | None = None) -> tuple[list[str], str]:
    """The lines on standard error, and what the program printed last."""
    environment = {} if log_level is None else {"TF_CPP_MIN_LOG_LEVEL": log_level}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr.splitlines(), done.stdout.strip()


def test_a_callers_process_is_left_as_it_is() -> None:
    lines, state = run()
    assert lines == [
        "before",
        "outer",
        "inner",
        "to the user",
        "outer again",
        "after",
        "after an error",
        "and on 2",
    ]
    assert state == "False None False"


@pytest.mark.parametrize("log_level", [None, "0"])
def test_in_a_claimed_process_only_the_visible_descriptor_is_heard(log_level: str | None) -> None:
    lines, state = run("claimed", log_level=log_level)
    assert lines == ["before", "to the user", "after", "after an error", "and on 2"]
    assert state == f"True {log_level or 3} False"


def test_a_claimed_process_starts_tensorflow_quietly_and_multiplies_exactly() -> None:
    code = (
        "from elmo_beam.elmo.process import claim_process; claim_process(); "
        "from elmo_beam.elmo.backend import tf; import sys; "
        "print(tf.config.experimental.tensor_float_32_execution_enabled()); "
        "print('keras' in sys.modules, tf.keras.losses.get('mse').__name__)"  # there when asked for
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("False\nFalse mean_squared_error\n", "")


def test_a_claim_counts_after_tensorflow_was_imported_too() -> None:
    code = (
        "from elmo_beam.elmo.backend import tf; from elmo_beam.elmo.process import claim_process; "
        "enabled = tf.config.experimental.tensor_float_32_execution_enabled; "
        "before = enabled(); claim_process(); print(before, enabled())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"]
