"""A run as one page of HTML, which needs nothing beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

from elmo_beam.elmo.wording import amount, counted, duration
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.state import RunState, read_state
from elmo_beam.pipeline.report.accounts import accounts, shards
from elmo_beam.pipeline.report.html import breakable, moment
from elmo_beam.pipeline.report.lengths import lengths
from elmo_beam.pipeline.report.rejects import first_files, rejects
from elmo_beam.pipeline.report.settings import settings
from elmo_beam.pipeline.report.speed import Blocks, block_times, speed
from elmo_beam.pipeline.report.word_box import word_box
from elmo_beam.pipeline.report.word_map import topical_words, word_map
from elmo_beam.transforms.files.storage import write_bytes
from elmo_beam.transforms.readers.run import Run, open_run

STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"  # no network
MOST_TROUBLES = 20  # named at the top; the table of files has more


def write_report(output: str) -> str:
    """Write DIR/report.html; its path."""
    run = open_run(output, allow_incomplete=True)
    state = read_state(run.layout, run.settings, run.plans)
    html = "\n".join(_page(run, state))
    write_bytes(run.layout.root, run.layout.report, html.encode("utf-8", "replace"))
    return run.layout.report


def _page(run: Run, state: RunState) -> Iterator[str]:
    name = escape(run.layout.root.rstrip("/").rsplit("/", 1)[-1])
    blocks, topical = block_times(run.layout, state), topical_words(run)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>"
    yield from _head(run, state, blocks)
    yield from accounts(state, run.settings)
    yield from shards(state, run.settings, first_files(state))
    yield from rejects(run.layout, state)
    yield from speed(blocks)
    if not run.settings.pool:
        yield from lengths(run)
    yield from word_box(run, topical)
    yield from word_map(run, topical)
    yield from settings(run)
    yield f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></body></html>"


def _head(run: Run, state: RunState, blocks: Blocks) -> Iterator[str]:
    troubles = problems(state)
    done = "complete" if run.complete else "not complete: run the command again"
    if troubles:
        done = f"not complete: {len(troubles):,} to fix"
    root = run.layout.root.rstrip("/")
    yield f'<h1>{breakable(root.rsplit("/", 1)[-1])}</h1><div class="state">{done}</div>'
    yield f'<p class="soft">{breakable(root)}</p>'
    yield f'<p class="soft">{_when(blocks)}page of {moment(time.time())}</p><div class="big">'
    for value, what in _figures(run, state):
        yield f"<div><b>{value}</b><span>{escape(what)}</span></div>"
    yield "</div>"
    for trouble in troubles[:MOST_TROUBLES]:
        yield f'<p class="state bad">{breakable(trouble)}</p>'
    if len(troubles) > MOST_TROUBLES:
        yield f'<p class="state bad">and {len(troubles) - MOST_TROUBLES:,} more</p>'


def _when(blocks: Blocks) -> str:
    """When the run's blocks were committed, HTML."""
    times = blocks[0]
    if not len(times):
        return ""
    first, last = moment(times[0]), moment(times[-1])
    return f"run of {first}; " if first == last else f"run of {first} to {last}; "


def _figures(run: Run, state: RunState) -> Iterator[tuple[str, str]]:
    """Large numbers, each with what it is."""
    row = "occurrence" if run.settings.words else "sentence"
    for n, noun in ((state.total("rows"), row), (state.total("tokens"), "token")):
        number, name = counted(n, noun).split()
        yield number, name
    yield amount(state.work("bytes")), f"in {counted(len(state.done), 'part')}"
    session = run.manifest.get("figures", {})
    seconds, tokens = session.get("session_seconds"), session.get("session_tokens")
    if seconds and tokens:
        what = f"tokens/s including start-up, in {duration(seconds)}"
        yield f"{tokens / seconds:,.0f}", what
