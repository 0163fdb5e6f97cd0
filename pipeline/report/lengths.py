"""How long a run's sentences are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.svg import Bar, bars
from elmo_beam.transforms.readers.run import Run

BARS = 32  # at most
TICKS = 8  # lengths named below them, about


def lengths(run: Run) -> Iterator[str]:
    """HTML of a histogram; nothing if there are no sentences."""
    seen: Counter[int] = Counter()
    for part in run.tables(["shard", "offset", "sentence", "num_tokens"]):
        shards = part["shard"].combine_chunks().dictionary_encode().indices
        places = [np.asarray(of) for of in (shards, part["offset"], part["sentence"])]
        # Of a run of words a sentence has as many rows as occurrences.
        first = np.any([np.diff(place, prepend=-1) != 0 for place in places], axis=0)
        seen.update(np.asarray(part["num_tokens"])[first].tolist())
    if not seen:
        return
    own = np.repeat(list(seen), list(seen.values()))
    far = int(np.percentile(own, 99, method="higher"))
    step = max(1, -(-far // BARS))
    edges = list(range(1, far + step + 1, step))
    counts = np.histogram(own[own < edges[-1]], edges)[0].tolist()
    n = len(counts)
    shown = [
        Bar(i / n, (i + 1) / n, c, _text(edges[i], edges[i + 1], c)) for i, c in enumerate(counts)
    ]
    ticks = [(i / n, f"{edges[i]:,}") for i in range(0, n + 1, max(1, n // TICKS))]
    yield '<h2 id="lengths">Tokens per sentence</h2>'
    yield bars(shown, ticks, "sentences by their length in tokens", "lengths")
    beyond = int((own >= edges[-1]).sum())
    cut = f" of {counted(edges[-1], 'token')} or more" if beyond else ""
    more = f"; {counted(beyond, 'sentence')}{cut} not drawn" if beyond else ""
    yield f'<p class="soft">median {int(np.median(own))}, longest {int(own.max())}{more}</p>'


def _text(edge: int, after: int, count: int) -> str:
    start = "" if after - 1 == edge else f"{edge} to "
    return f"{start}{counted(after - 1, 'token')}: {counted(count, 'sentence')}"
