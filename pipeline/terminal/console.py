"""Standard output and standard error: every line that the program prints is printed here.

They may fail (a closed pipe, a full disk), be closed, or have a narrow encoding. And what is in a
line comes from anywhere, file names, columns, tokens: none of it may move the cursor or begin a
line of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys

from elmo_beam.elmo.process import STDERR, visible_stderr

CLEAR_LINE = "\r\x1b[K"  # on a terminal
# Control characters, line and paragraph separators, what turns the direction of text around, and
# halves of surrogate pairs, which have no bytes in any encoding.
UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_lost: OSError | None = None  # what kept a line from standard output


def prepare() -> None:
    """Open the streams that are closed, and let a narrow encoding replace what it cannot say."""
    global _lost
    _lost = None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free descriptor is the stream's own. It is taken, here and in processes
            # started from here, before a file is opened that would receive what is printed.
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    r"""A line of text as it may be printed: ESC as `\x1b`, and so on; other text as it is."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(*lines: str) -> None:
    """Print lines to standard output; if they are lost, the command continues."""
    global _lost
    for line in lines:
        try:
            print(printable(line), flush=True)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # as in `elmo-beam inspect DIR | head`
                _lost = error
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def lost_output() -> OSError | None:
    """What kept lines from standard output, if anything did but a reader who had left."""
    try:
        os.close(os.dup(sys.stdout.fileno()))  # some filesystems tell only now
    except (AttributeError, ValueError, io.UnsupportedOperation):
        return _lost  # it is no file
    except OSError as error:
        return _lost or error
    return _lost


def complain(text: str) -> None:
    """Print one line of trouble to standard error."""
    show(f"elmo-beam: {text}", start=CLEAR_LINE if on_terminal() else "")


def show(text: str, start: str = "", end: str = "\n") -> None:
    """Print to standard error, if it can be; `start` and `end` may move the cursor."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # None; full; closed
        VISIBLE.write(f"{start}{printable(text)}{end}")
        VISIBLE.flush()


class _VisibleStderr:
    """Standard error as it is at the time, also while what libraries write to it is discarded."""

    @property
    def encoding(self) -> str:
        return getattr(sys.stderr, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        return visible_stderr()

    def write(self, text: str) -> int:
        if visible_stderr() == STDERR:
            return sys.stderr.write(text)
        return os.write(visible_stderr(), text.encode(self.encoding, "replace"))

    def flush(self) -> None:
        sys.stderr.flush()


VISIBLE = _VisibleStderr()


def complain_at_once(descriptor: int, text: str) -> None:
    """`complain` where Python's own streams may be in use: in a signal's handler."""
    start = CLEAR_LINE if on_terminal() else ""
    line = f"{start}elmo-beam: {printable(text)}\n".encode(VISIBLE.encoding, "replace")
    with contextlib.suppress(OSError):
        os.write(descriptor, line)


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # it is None, or closed
        return False
