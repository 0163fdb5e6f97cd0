"""`elmo-beam report`: a run on one page of HTML, which needs nothing beside it."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from elmo.outputs import SENTENCE_OUTPUT
from pipeline.console import say
from pipeline.progress import duration
from pipeline.report import problems
from pipeline.state import RunState, read_state
from pipeline.svg import COLOURS, Point, histogram, scatter
from transforms.layout import Layout, layout_of
from transforms.plan import recorded_shards
from transforms.readers import Run, open_run
from transforms.settings import read_settings
from transforms.storage import exists, join, list_names, read_bytes, write_bytes

BARS = 32  # of the histogram, at most
WORDS, USES = 12, 30  # of the map: words, and uses of each, at most
LETTERS, FEWEST = 4, 8  # a word on the map has so many letters, and uses, at least
STRETCHES = 40  # of the text, over which a word is spread or not
MAP_PARTS = 20  # the map is of the first parts, if there are more
AROUND = 5  # tokens shown on either side of a use
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
tr{border-bottom:1px solid var(--line)}td.n{text-align:right;font-variant-numeric:tabular-nums}
code{font-size:.85rem;overflow-wrap:anywhere}svg{width:100%;height:auto}
svg text{font:12px system-ui,sans-serif;fill:currentColor}
svg text.name{font-weight:700;font-size:15px;paint-order:stroke;stroke:Canvas;stroke-width:4px;
text-anchor:middle}
"""


def report(output: str) -> int:
    """Write DIR/report.html."""
    layout = layout_of(output)
    state = read_state(layout, read_settings(layout), recorded_shards(layout), recorded=True)
    run = open_run(layout.root, allow_incomplete=True)
    html = "\n".join(_page(layout, state, run))
    write_bytes(layout.root, layout.page, html.encode("utf-8", "replace"))
    say(layout.page)
    return 0


def _page(layout: Layout, state: RunState, run: Run) -> Iterator[str]:
    name = escape(layout.root.rstrip("/").rsplit("/", 1)[-1])
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body>"
    yield from _head(layout, state)
    yield from _accounts(state)
    yield from _lengths(run)
    yield from _map(run)
    yield from _rejects(layout, state)
    yield from _settings(layout, run)
    yield "</body></html>"


def _head(layout: Layout, state: RunState) -> Iterator[str]:
    troubles = problems(state)
    done = "complete" if exists(layout.success) else "not complete: run the command again"
    if troubles:
        done = f"not complete: {len(troubles)} to mend"
    figures = [
        (f"{state.total('rows'):,}", "sentences"),
        (f"{state.total('tokens'):,}", "tokens"),
        (f"{state.total('bytes') / 1e6:,.1f} MB", f"in {len(state.accounts):,} parts"),
    ]
    session = _manifest(layout).get("figures", {})
    seconds, tokens = session.get("session_seconds"), session.get("session_tokens")
    if seconds and tokens:
        rate = f"{tokens / seconds:,.0f}"
        figures.append((rate, f"tokens/s with start-up, in {duration(seconds)}"))
    yield f'<h1>{escape(layout.root)}</h1><div class="state">{done}</div><div class="big">'
    yield from (f"<div><b>{value}</b><span>{escape(name)}</span></div>" for value, name in figures)
    yield "</div>"
    yield from (f'<p class="state">{escape(trouble)}</p>' for trouble in troubles)


def _accounts(state: RunState) -> Iterator[str]:
    lines = state.total("lines")
    rejected = sum(state.rejected.values())
    kinds = [
        ("embedded", state.total("embedded"), COLOURS[0]),
        ("blank", state.total("blank"), "#999"),
        ("rejected", rejected, COLOURS[5]),
    ]
    yield f"<h2>What became of {lines:,} lines</h2>"
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
    for table in run.tables(["num_tokens"]):
        seen.update(table["num_tokens"].to_pylist())
    if not seen:
        return
    lengths = np.repeat(list(seen), list(seen.values()))
    far = int(np.percentile(lengths, 99, method="higher"))
    step = max(1, -(-far // BARS))
    edges = list(range(1, far + step + 1, step))
    counts = np.histogram(lengths[lengths < edges[-1]], edges)[0].tolist()
    yield "<h2>Tokens a sentence</h2>"
    yield histogram(counts, edges)
    beyond = int((lengths >= edges[-1]).sum())
    more = f"; {beyond:,} longer ones are not drawn" if beyond else ""
    yield (
        f'<p class="soft">median {int(np.median(lengths))}, longest {int(lengths.max())}{more}</p>'
    )


def _map(run: Run) -> Iterator[str]:
    """A map of a few hundred token vectors: uses of the words that are its topics."""
    outputs = [name for name in run.settings.outputs if name != SENTENCE_OUTPUT]
    if not outputs:
        return
    output = "elmo" if "elmo" in outputs else outputs[-1]
    chosen = _topical_words(run)
    if not chosen:
        return
    uses = _uses(run, output, set(chosen))
    vectors = [vector for word in chosen for vector, _ in uses[word]]
    if len(vectors) < 3:
        return
    places = _flattened(np.array(vectors, np.float32))
    texts = [(word, text) for word in chosen for _, text in uses[word]]
    points = [
        Point(float(x), float(y), word, text)
        for (x, y), (word, text) in zip(places, texts, strict=True)
    ]
    yield f"<h2>{len(points)} uses of {len(chosen)} words, by their {escape(output)} vectors</h2>"
    yield scatter(points)
    yield '<p class="soft">The plane in which they differ most; point at one to read it.</p>'


def _topical_words(run: Run) -> list[str]:
    """The words that come most in bursts, as those of a topic do and those of grammar do not."""
    tables = islice(run.tables(["tokens"]), MAP_PARTS)
    columns = [table["tokens"].combine_chunks().flatten() for table in tables]
    if not columns:
        return []
    tokens = pa.concat_arrays(columns).dictionary_encode()
    words, ids = tokens.dictionary.to_pylist(), np.asarray(tokens.indices, np.int64)
    stretch = np.arange(len(ids)) * STRETCHES // max(len(ids), 1)
    counts = np.bincount(ids * STRETCHES + stretch, minlength=len(words) * STRETCHES)
    counts = counts.reshape(len(words), STRETCHES)
    bursts = counts.var(axis=1) / np.maximum(counts.mean(axis=1), 1e-9)
    often = counts.sum(axis=1) >= FEWEST
    fit = [i for i, w in enumerate(words) if often[i] and len(w) >= LETTERS and w.isalpha()]
    return [words[i] for i in sorted(fit, key=lambda i: -bursts[i])[:WORDS]]


def _uses(run: Run, output: str, words: set[str]) -> dict[str, list[tuple[np.ndarray, str]]]:
    """The first uses of some words: each one's vector, and the tokens around it."""
    found: dict[str, list[tuple[np.ndarray, str]]] = defaultdict(list)
    for table in islice(run.tables(["tokens", output]), MAP_PARTS):
        vectors, at = run.vectors(table, output), 0
        for sentence in table["tokens"].to_pylist():
            for i, word in enumerate(sentence):
                if word in words and len(found[word]) < USES:
                    around = " ".join(sentence[max(0, i - AROUND) : i + AROUND + 1])
                    found[word].append((vectors[at + i].copy(), around))  # no view: the part goes
            at += len(sentence)
        if all(len(found[word]) >= USES for word in words):
            break
    return found


def _flattened(vectors: np.ndarray) -> np.ndarray:
    """[points, 2] from 0 to 1: their first two principal components."""
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    return (flat - flat.min(axis=0)) / np.maximum(np.ptp(flat, axis=0), 1e-9)


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


def _settings(layout: Layout, run: Run) -> Iterator[str]:
    yield "<h2>Settings</h2>"
    settings = {k: v for k, v in run.settings.to_json().items() if k != "options"}
    rows = [[escape(k), f"<code>{escape(_said(v))}</code>"] for k, v in settings.items()]
    yield _table(rows)
    yield "<h2>Versions</h2>"
    versions = _manifest(layout).get("versions", {})
    yield _table([[escape(k), f"<code>{escape(str(v))}</code>"] for k, v in versions.items()])


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _manifest(layout: Layout) -> dict[str, Any]:
    """The manifest, empty before the run's first end, or where it is damaged."""
    try:
        return dict(json.loads(read_bytes(layout.manifest) or b"{}"))
    except ValueError:
        return {}


def _table(rows: Sequence[Sequence[Any]]) -> str:
    """Rows of cells; numbers stand to the right."""
    cells = (
        "".join(f'<td class="n">{c:,}</td>' if isinstance(c, int) else f"<td>{c}</td>" for c in row)
        for row in rows
    )
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
