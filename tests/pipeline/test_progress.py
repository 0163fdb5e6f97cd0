"""How far work is: the bar, its rate and its time left, on a terminal, in a log, in silence."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

from elmo_beam.elmo.formats.handles import load_encoder
from elmo_beam.pipeline.job.progress import Progress
from elmo_beam.pipeline.job.state import state_now
from elmo_beam.pipeline.terminal import status_line
from elmo_beam.pipeline.terminal.status_line import Pace, StatusLine
from elmo_beam.transforms.activity import ACTIVITY, WatchedEncoder, finished, loading
from elmo_beam.transforms.embed import embed_block
from elmo_beam.transforms.files.layout import layout_of
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.normalize import normalize_block
from elmo_beam.transforms.plan import plan_shard, spans_of
from elmo_beam.transforms.read import read_span
from elmo_beam.transforms.settings_checks import resolved
from elmo_beam.transforms.text.reader import TextReader
from tests.helpers.command import ROOT


class Shown:
    """A Status that remembers."""

    def __init__(self) -> None:
        self.all: list[tuple[float, str]] = []

    def show(self, share: float, text: str) -> None:
        self.all.append((share, text))

    def end(self) -> None: ...


def test_a_pace_says_nothing_until_it_means_something() -> None:
    pace = Pace()
    for seconds, amount, rate in [
        (0, 0, None),
        (60, 0, None),  # the model is loaded
        (61, 10, None),
        (62, 20, None),
        (63, 30, None),
        (64, 40, 10.0),  # a minute before the first ten does not count
    ]:
        pace.note(amount, seconds)
        assert pace.rate == rate


def test_a_pace_is_smooth_and_starts_anew_with_other_work() -> None:
    pace = Pace()
    for second in range(100):
        pace.note(10 * second, second)
    pace.note(10 * 99, 103)  # nothing for four seconds, and then one slow step
    pace.note(10 * 99 + 10, 104)
    assert pace.rate is not None and 6 < pace.rate < 10
    pace.note(0, 105)
    assert pace.rate is None


def test_time_left_follows_the_share_that_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(status_line.time, "monotonic", lambda: now[0])
    status = StatusLine()
    for share in np.linspace(0.5, 0.9, 41):  # a run that was half done, 1% each ten seconds
        status.show(float(share), "text")
        now[0] += 10.0
    left = [
        line.split(" left")[0] for line in capsys.readouterr().err.splitlines() if "left" in line
    ]
    assert left[0] == "8 min" and left[-1] == "2 min"
    minutes = [int(text.split()[0]) for text in left]
    assert minutes == sorted(minutes, reverse=True)


def test_without_a_terminal_the_first_line_comes_at_once_and_then_few(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(status_line.time, "monotonic", lambda: now[0])
    with StatusLine() as status:
        for block in range(21):
            status.show(0.0, f"{block} of 20 blocks")
            now[0] += 1.0
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["0 of 20 blocks", "10 of 20 blocks", "20 of 20 blocks"]


def test_quiet_is_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_line, "LINE_EVERY", 0)
    status = StatusLine(quiet=True)
    status.show(0.5, "half")
    status.end()
    assert capsys.readouterr().err == ""


SHOWING = """
import sys
from elmo_beam.pipeline.terminal.status_line import StatusLine
status = StatusLine()
for share in (0.0, 0.25, 1.0):
    status.show(share, sys.argv[1])
status.end()
"""


def on_terminal(command: list[object], columns: int) -> str:
    """What a command shows on a terminal of this width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([*map(str, command)], stderr=its, stdout=its, cwd=ROOT)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:  # the terminal's other end is closed
        pass
    assert process.wait() == 0, shown
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_bar_fits_its_terminal_and_is_cleared(columns: int) -> None:
    text = "loss 4.12, perplexity 66.1 67.2, 2,345 tokens/s\x1b[2J"
    shown = on_terminal([sys.executable, "-c", SHOWING, text], columns)
    states = [state.rstrip() for state in re.split(r"[\r\n]+", shown) if state.strip()]
    assert all(len(state) <= columns for state in states) and "\x1b[2J" not in shown
    assert states[-1].startswith("100%|") and shown.endswith("\r")
    if columns > 79:
        assert "2,345 tokens/s" in states[-1]


IMPORTING = """
import os
from elmo_beam.elmo.process import claim_process, quiet_stderr
from elmo_beam.pipeline.terminal.console import complain
from elmo_beam.pipeline.terminal.status_line import StatusLine
claim_process()
with StatusLine() as status:
    with quiet_stderr():
        os.write(2, b"a line of a library")
        status.show(0.5, "still here")
    complain("trouble")
"""


def test_a_bar_goes_on_while_a_library_is_made_quiet() -> None:
    shown = on_terminal([sys.executable, "-c", IMPORTING], 80)
    assert "starting" in shown and "a line of a library" not in shown
    assert "still here" in shown and "\r\x1b[Kelmo-beam: trouble\r\n" in shown


TWICE = """
import sys
from elmo_beam.pipeline.cli import run

words = sys.argv[1:]
assert run(words) == 0
print("now quietly")
sys.exit(run([*words, "--quiet", "--overwrite"]))
"""


def test_a_command_draws_on_a_terminal_unless_it_is_to_be_quiet(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One bank.\n")
    files = ["--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")]
    shown = on_terminal([sys.executable, "-c", TWICE, "embed", *files], 80)
    drawn, quiet = shown.split("now quietly")
    assert "0%|" in drawn and "is complete" in drawn
    assert "%|" not in quiet and "is complete" in quiet


def test_a_run_that_is_watched_counts_what_is_in_the_model(tmp_path: Path) -> None:
    text = tmp_path / "in.txt"
    text.write_text("".join(f"Line {i} of the text .\n" for i in range(30)) + "\n" * 30)
    layout, settings = layout_of(str(tmp_path / "out")), resolved(Settings())
    (span,) = spans_of(plan_shard(layout, str(text), settings))
    (raw,) = read_span(layout, span, settings)
    block = normalize_block(raw, TextReader(settings), settings)
    status = Shown()
    state = state_now(layout, settings, [str(text)], [])
    progress = Progress(layout, state, [layout_stem(layout)], status)
    encoder = load_encoder("default", memory=1)  # a pass for each sentence
    watched = WatchedEncoder(encoder, block)

    class Watched:
        options = encoder.options

        def passes(self, sentences: object, outputs: object) -> object:
            for encoded in watched.passes(sentences, outputs):  # type: ignore[arg-type]
                yield encoded
                progress.update()

    embed_block(block, Watched(), settings)  # type: ignore[arg-type]
    progress.update()
    shares = [share for share, _ in status.all]
    assert shares == sorted(shares) and len(set(shares)) > 20 and shares[-1] == 0.99
    assert status.all[-1][1].startswith("0 of 1 block")
    finished(block)
    assert ACTIVITY.blocks == {}
    with loading():
        assert progress.line().endswith(", loading the model")


def layout_stem(layout: object) -> str:
    """The stem of the only plan."""
    (name,) = os.listdir(layout.plan)  # type: ignore[attr-defined]
    return name.removesuffix(".json")
