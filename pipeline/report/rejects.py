"""A run's rejected lines: how many for which reason, some of them, and the files of all."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from html import escape
from typing import Any

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.pipeline.report.html import breakable, code, link, table
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import join, read_bytes

SAMPLES = 3  # rejected lines shown for each reason
MOST_FILES = 50  # of rejected lines, named
MOST_READ = 200  # of them, opened for samples
SHOWN = 90  # bytes of a line


def reject_files(state: RunState) -> dict[str, int]:
    """The names of the files of rejected lines, in order, and how many each has."""
    return {
        f"{stem}.jsonl": sum(sum(piece.rejected.values()) for piece in done.pieces)
        for stem, done in state.done.items()
        if done.rejects_sha256
    }


def first_files(state: RunState) -> dict[str, str]:
    """Of each shard with rejected lines, the first file that has some."""
    found: dict[str, str] = {}
    for stem, done in state.done.items():
        for piece in done.pieces:
            if piece.rejected:
                found.setdefault(piece.shard, f"{stem}.jsonl")
    return found


def rejects(layout: Layout, state: RunState) -> Iterator[str]:
    """HTML; nothing if no line was rejected."""
    rejected = state.rejected
    if not rejected:
        return
    files = reject_files(state)
    samples: dict[str, list[str]] = defaultdict(list)
    for name in list(files)[:MOST_READ]:
        for line in (read_bytes(join(layout.rejects, name)) or b"").splitlines():
            reject = json.loads(line)
            if len(samples[reject["reason"]]) < SAMPLES:
                samples[reject["reason"]].append(_sample(reject, name))
        if all(len(samples[reason]) >= min(n, SAMPLES) for reason, n in rejected.items()):
            break
    yield '<h2 id="rejects">Rejected lines</h2>'
    yield table(
        [escape(reason.replace("_", " ")), n, "".join(samples[reason])]
        for reason, n in sorted(rejected.items(), key=lambda pair: -pair[1])
    )
    named = list(files.items())[:MOST_FILES]
    more = f", and {len(files) - len(named):,} more in rejects/" if len(files) > len(named) else ""
    yield f'<p class="soft">All of them, in {counted(len(files), "file")} beside this page: '
    yield ", ".join(f"{link(['rejects', name], breakable(name))} ({n:,})" for name, n in named)
    yield f"{more}</p>"


def _sample(reject: dict[str, Any], name: str) -> str:
    """A rejected line, and a link to the file that has it whole."""
    whole = base64.b64decode(reject["raw"])
    raw = whole[:SHOWN].decode("utf-8", "backslashreplace") + "…" * (len(whole) > SHOWN)
    place = f"{reject['shard'].rsplit('/', 1)[-1]}, line {reject['line']:,}"
    return f"<div>{code(raw)} {link(['rejects', name], breakable(place))}</div>"
