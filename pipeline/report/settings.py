"""What a run was asked for: its command, its settings, the versions of what ran it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from html import escape
from typing import Any

from elmo_beam.elmo.wording import listed
from elmo_beam.pipeline.report.html import code, table
from elmo_beam.pipeline.terminal.flag_types import written_size
from elmo_beam.transforms.files.settings import DEFAULTS, Settings, usual_block_size
from elmo_beam.transforms.readers.run import Run

MOST = 20  # words of a list shown
MOST_INPUTS = 8  # files that the command names
NO_FLAGS = ("digest", "options", "words")
SIZES = ("memory", "block_size")


def settings(run: Run) -> Iterator[str]:
    """HTML of the command and two tables."""
    yield '<h2 id="command">Command</h2>'
    yield f"<pre><code>{escape(command(run.settings, run.shards, run.layout.root))}</code></pre>"
    listed_words = run.settings.words and run.settings.top_words is None
    words = "; words.txt stands for the file of its words" if listed_words else ""
    yield f'<p class="soft">A command that makes this run, from its settings and files{words}.</p>'
    yield '<h2 id="settings">Settings</h2>'
    known = {k: v for k, v in run.settings.to_json().items() if k != "options"}
    yield table([escape(name), code(_shown(name, value))] for name, value in known.items())
    yield '<h2 id="versions">Versions</h2>'
    versions = run.manifest.get("versions", {})
    yield table([escape(name), code(str(version))] for name, version in versions.items())


def command(settings: Settings, shards: list[str], root: str) -> str:
    """A command that makes a run; run.json does not record the one that did.

    A list of words stands as words.txt, and only the first files are named.
    """
    parts = ["elmo-beam embed"]
    parts += [f"--input {shlex.quote(path)}" for path in shards[:MOST_INPUTS]]
    if len(shards) > MOST_INPUTS:
        parts.append(f"--input … # {len(shards) - MOST_INPUTS:,} more files")
    parts.append(f"--output {shlex.quote(root)}")
    if settings.words and settings.top_words is None:
        parts.append("--words words.txt")
    usual = usual_block_size(settings.words, settings.top_words)
    for name, value in settings.to_json().items():
        if name in NO_FLAGS or value == (usual if name == "block_size" else DEFAULTS[name]):
            continue
        written = shlex.quote(_written(name, value))
        parts.append(f"--{name}" if value is True else f"--{name} {written}")
    return " \\\n  ".join(parts)


def _shown(name: str, value: Any) -> str:
    """A setting in a table."""
    if isinstance(value, list):
        return listed(value, MOST) if value else "none"
    if value is None or isinstance(value, bool):
        return {None: "not given", True: "yes", False: "no"}[value]
    return _written(name, value)


def _written(name: str, value: Any) -> str:
    """A setting as its flag takes it."""
    if isinstance(value, list):
        return ",".join(value)
    if name in SIZES:
        return written_size(value)
    return str(value)
