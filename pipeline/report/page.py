"""A run as one page of HTML, which needs nothing beside it."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from elmo_beam.elmo.wording import counted, duration, listed
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.state import RunState, read_state
from elmo_beam.pipeline.report.svg import COLOURS, histogram
from elmo_beam.pipeline.report.word_map import word_map
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import join, list_names, read_bytes, write_bytes
from elmo_beam.transforms.readers.run import Run, open_run

BARS = 32  # of the histogram, at most
MOST = 20  # words of a list shown
SAMPLES = 3  # rejected lines shown for each reason
STYLE = """
:root{color-scheme:light dark;--soft:#8888;--line:#8883}
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2.5rem 0 .5rem}
.big{display:flex;flex-wrap:wrap;gap:2rem;margin:1.5rem 0}.big b{display:block;font-size:1.7rem}
.big span,.soft{color:GrayText;font-size:.85rem}.state{font-weight:600}
.bar{display:flex;height:1.2rem;border-radius:.3rem;overflow:hidden;background:var(--line)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
td,th{padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
td:first-child{overflow-wrap:normal}
tr{border-bottom:1px solid var(--line)}td.n{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.85rem;overflow-wrap:anywhere}svg{width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:currentColor}
svg text.name{font-weight:700;font-size:15px;paint-order:stroke;stroke:Canvas;stroke-width:4px;
text-anchor:middle}
"""


def write_report(output: str) -> str:
    """Write DIR/report.html; its path."""
    run = open_run(output, allow_incomplete=True)
    state = read_state(run.layout, run.settings, run.plans)
    html = "\n".join(_page(run.layout, state, run))
    write_bytes(run.layout.root, run.layout.report, html.encode("utf-8", "replace"))
    return run.layout.report


def _page(layout: Layout, state: RunState, run: Run) -> Iterator[str]:
    name = escape(layout.root.rstrip("/").rsplit("/", 1)[-1])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body>"
    yield from _head(run, state)
    yield from _accounts(state)
    if not run.settings.pool:
        yield from _lengths(run)
    yield from word_map(run)
    yield from _rejects(layout, state)
    yield from _settings(run)
    yield "</body></html>"


def _head(run: Run, state: RunState) -> Iterator[str]:
    troubles = problems(state)
    done = "complete" if run.complete else "not complete: run the command again"
    if troubles:
        done = f"not complete: {len(troubles):,} to fix"
    figures = [
        tuple(counted(state.total("rows"), _what_a_row_is(run)).split()),
        tuple(counted(state.total("tokens"), "token").split()),
        (f"{state.work('bytes') / 1e6:,.1f} MB", f"in {counted(len(state.done), 'part')}"),
    ]
    session = run.manifest.get("figures", {})
    seconds, tokens = session.get("session_seconds"), session.get("session_tokens")
    if seconds and tokens:
        rate = f"{tokens / seconds:,.0f}"
        figures.append((rate, f"tokens/s including start-up, in {duration(seconds)}"))
    yield f'<h1>{escape(run.layout.root)}</h1><div class="state">{done}</div><div class="big">'
    yield from (f"<div><b>{value}</b><span>{escape(name)}</span></div>" for value, name in figures)
    yield "</div>"
    yield from (f'<p class="state">{escape(trouble)}</p>' for trouble in troubles)


def _what_a_row_is(run: Run) -> str:
    return "occurrence" if run.settings.words else "sentence"


def _accounts(state: RunState) -> Iterator[str]:
    lines = state.total("lines")
    rejected = sum(state.rejected.values())
    kinds = [
        ("embedded", state.total("embedded"), COLOURS[0]),
        ("blank", state.total("blank"), "#999"),
        *([("passed over", passed, "#ccc")] if (passed := state.total("passed_over")) else []),
        ("rejected", rejected, COLOURS[5]),
    ]
    yield f"<h2>What became of {counted(lines, 'line')}</h2>"
    yield '<div class="bar">'
    for name, n, colour in kinds:
        if n:
            style = f"flex:{n};background:{colour}"
            yield f'<div style="{style}" title="{name}: {n:,}"></div>'
    yield "</div>"
    rows = [[f'<span style="color:{colour}">■</span> {name}', n] for name, n, colour in kinds]
    yield _table(rows)


def _lengths(run: Run) -> Iterator[str]:
    seen: Counter[int] = Counter()
    for table in run.tables(["offset", "sentence", "num_tokens"]):
        offsets, sentences, lengths = (np.asarray(column) for column in table.columns)
        # Of a run of words a sentence has as many rows as occurrences.
        first = (np.diff(offsets, prepend=-1) != 0) | (np.diff(sentences, prepend=-1) != 0)
        seen.update(lengths[first].tolist())
    if not seen:
        return
    lengths = np.repeat(list(seen), list(seen.values()))
    far = int(np.percentile(lengths, 99, method="higher"))
    step = max(1, -(-far // BARS))
    edges = list(range(1, far + step + 1, step))
    counts = np.histogram(lengths[lengths < edges[-1]], edges)[0].tolist()
    yield "<h2>Tokens per sentence</h2>"
    yield histogram(counts, edges)
    beyond = int((lengths >= edges[-1]).sum())
    more = f"; those of {counted(beyond, 'longer sentence')} are not drawn" if beyond else ""
    yield (
        f'<p class="soft">median {int(np.median(lengths))}, longest {int(lengths.max())}{more}</p>'
    )


def _rejects(layout: Layout, state: RunState) -> Iterator[str]:
    rejected = state.rejected
    if not rejected:
        return
    samples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in list_names(layout.rejects):
        for line in (read_bytes(join(layout.rejects, name)) or b"").splitlines():
            reject = json.loads(line)
            if len(samples[reject["reason"]]) < SAMPLES:
                samples[reject["reason"]].append(reject)
        if all(len(samples[reason]) >= min(n, SAMPLES) for reason, n in rejected.items()):
            break
    yield "<h2>Rejected lines</h2>"
    rows: list[Sequence[Any]] = []
    for reason, n in sorted(rejected.items(), key=lambda pair: -pair[1]):
        shown = "".join(f"<div>{_sample(reject)}</div>" for reject in samples[reason])
        rows.append([escape(reason.replace("_", " ")), n, shown])
    yield _table(rows)


def _sample(reject: dict[str, Any]) -> str:
    raw = base64.b64decode(reject["raw"])[:90].decode("utf-8", "backslashreplace")
    place = f"{reject['shard'].rsplit('/', 1)[-1]}, line {reject['line']:,}"
    return f'<code>{escape(raw)}</code> <span class="soft">{escape(place)}</span>'


def _settings(run: Run) -> Iterator[str]:
    yield "<h2>Settings</h2>"
    settings = {k: v for k, v in run.settings.to_json().items() if k != "options"}
    rows = [[escape(k), f"<code>{escape(_written(v))}</code>"] for k, v in settings.items()]
    yield _table(rows)
    yield "<h2>Versions</h2>"
    versions = run.manifest.get("versions", {})
    yield _table([[escape(k), f"<code>{escape(str(v))}</code>"] for k, v in versions.items()])


def _written(value: Any) -> str:
    return listed(value, MOST) if isinstance(value, list) else str(value)


def _table(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of cells; numbers are aligned to the right."""
    cells = (
        "".join(f'<td class="n">{c:,}</td>' if isinstance(c, int) else f"<td>{c}</td>" for c in row)
        for row in rows
    )
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
