"""What a command does when it is told to stop, in a process that imports nothing else."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from elmo_beam.pipeline.terminal.stopping import Stopper

ignored, sent = sys.argv[1].split(","), sys.argv[2].split(",")
for number in ("1", "2", "15"):  # the tests themselves may run under nohup
    signal.signal(int(number), signal.SIG_IGN if number in ignored else signal.SIG_DFL)

def clean_up():
    for number in sent:
        os.kill(os.getpid(), int(number))
    os.write(1, b"cleaned up\\n")

with Stopper() as stop:
    stop.describe = lambda: "stopped in the middle"
    stop.clean_up = clean_up
    sys.stdin.readline()
    os.kill(os.getpid(), int(sent[0]))
    os.write(1, b"went on\\n")
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def run(ignored: list[int], *sent: int) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that is sent signals, some as it cleans up."""
    done = subprocess.run(
        command(ignored, *sent), input="\n", capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def command(ignored: list[int], *sent: int) -> list[str]:
    words = [",".join(str(int(number)) for number in numbers) for numbers in (ignored, sent)]
    return [sys.executable, "-c", PROGRAM, *words]


@pytest.mark.parametrize("number", CODES)
def test_a_signal_is_one_line_and_its_exit_code_also_if_it_comes_again(
    number: signal.Signals,
) -> None:
    answer = (CODES[number], "cleaned up\n", "elmo-beam: stopped in the middle\n")
    assert run([], number, signal.SIGHUP, signal.SIGTERM) == answer


def test_under_nohup_a_command_runs_on_but_may_still_be_stopped() -> None:
    assert run([signal.SIGHUP], signal.SIGHUP) == (0, "went on\n", "")
    answer = (143, "cleaned up\n", "elmo-beam: stopped in the middle\n")
    assert run([signal.SIGHUP], signal.SIGTERM, signal.SIGHUP) == answer


def test_a_terminal_that_is_gone_does_not_keep_it_from_cleaning_up() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command([], signal.SIGHUP), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs
    ) as started:
        os.close(theirs)
        os.close(ours)
        assert started.communicate(b"\n", 60) == (b"cleaned up\n", None)
    assert started.returncode == 129


BEFORE = """
import os, signal, sys
import elmo_beam.__main__ as command

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == "elmo_beam.pipeline.cli":
            os.kill(os.getpid(), int(sys.argv[1]))

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
sys.meta_path.insert(0, Signal())
command.main()
"""
CRASH = """
import ctypes
from elmo_beam.elmo.process import claim_process, quiet_stderr
from elmo_beam.pipeline import cli

def crash(argv):
    claim_process()
    with quiet_stderr():
        ctypes.string_at(0)

cli.run = crash
cli.main()
"""


@pytest.mark.parametrize("number", CODES)
def test_a_command_that_is_being_imported_answers_too(number: signal.Signals) -> None:
    words = [sys.executable, "-c", BEFORE, str(int(number))]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == CODES[number]
    assert (done.stdout, done.stderr) == ("", "elmo-beam: stopped before anything was done\n")


def test_a_crash_in_native_code_is_said_even_where_tensorflow_is_silent() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True)
    assert done.returncode == -signal.SIGSEGV and "Segmentation fault" in done.stderr
