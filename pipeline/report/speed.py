"""Tokens per second over a run's working time, by when its blocks were committed.

A block's accounts do not say when it was done; the time of their file does. Where nothing was
committed for long, no session ran (or none that came to anything), and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from elmo_beam.elmo.wording import counted, duration
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.pipeline.report.html import moment
from elmo_beam.pipeline.report.svg import Bar, bars
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import list_times

BARS = 48  # over the whole working time, about
MOST_SESSIONS = 12  # drawn: the last
MOMENT = 5.0  # seconds; blocks that are committed within it are committed together
PAUSE = 6  # times the usual wait for a block, at least
BETWEEN, ROOM = 0.02, 0.15  # of the picture's width: between two sessions, and for a name

Blocks = tuple[np.ndarray, np.ndarray]  # when they were committed, in order, and their tokens


def block_times(layout: Layout, state: RunState) -> Blocks:
    """Seconds [blocks] since 1970, and the tokens [blocks] that were committed at that time."""
    times = list_times(layout.blocks)
    found = {stem: times[f"{stem}.json"] for stem in state.done if f"{stem}.json" in times}
    stems = sorted(found, key=lambda stem: found[stem])
    tokens = [state.done[stem].total("tokens") for stem in stems]
    return np.array([found[stem] for stem in stems]), np.array(tokens, np.int64)


def sessions(blocks: Blocks) -> list[Blocks]:
    """The blocks of each stretch of work."""
    times, tokens = blocks
    # Workers that began together also end their blocks together, and these do not wait.
    waits = np.diff(np.unique(times // MOMENT)) * MOMENT
    usual = float(np.median(waits)) if len(waits) else MOMENT
    cuts = np.flatnonzero(np.diff(times) > PAUSE * usual) + 1
    return list(zip(np.split(times, cuts), np.split(tokens, cuts), strict=True))


def rates(blocks: Blocks, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges [n + 1] of stretches of equal length, and tokens per second [n]; n is bins or less.

    The first block only says when the others began, and a stretch is no shorter than the usual
    block takes. Nothing if no time passes.
    """
    times, at = np.unique(blocks[0], return_inverse=True)
    done = np.bincount(at, blocks[1])
    done[0] = 0.0
    n = min(bins, len(times) - 1)
    if n < 1:
        return times[:1], np.zeros(0)
    edges = np.linspace(times[0], times[-1], n + 1)
    return edges, np.diff(np.interp(edges, times, np.cumsum(done))) / np.diff(edges)


def speed(blocks: Blocks) -> Iterator[str]:
    """HTML of the picture, or a sentence if there is too little to draw."""
    if not len(blocks[0]):
        return
    yield '<h2 id="speed">Tokens per second</h2>'
    stretches = sessions(blocks)
    drawn = [each for each in stretches if np.ptp(each[0]) >= 1.0][-MOST_SESSIONS:]
    if not drawn:
        yield '<p class="soft">Too little to draw: it takes several blocks, done seconds apart.</p>'
        return
    yield bars(*_placed(drawn), "tokens per second over the time of work", "speeds")
    pauses = len(stretches) - 1
    why = f" Without {counted(pauses, 'pause')}, in which nothing was done." if pauses else ""
    left = len(stretches) - len(drawn)
    more = f" Of {len(stretches):,} sessions, {left:,} are not drawn." if left else ""
    yield (
        f'<p class="soft">{moment(drawn[0][0][0])} to {moment(drawn[-1][0][-1])}, from one block '
        f"to the next, without start-up, by the times of the files in blocks/.{why}{more}</p>"
    )


def _placed(drawn: Sequence[Blocks]) -> tuple[list[Bar], list[tuple[float, str]]]:
    """Bars from left to right, and a mark where each session begins."""
    spans = [float(np.ptp(times)) for times, _ in drawn]
    scale = (1.0 - BETWEEN * (len(drawn) - 1)) / sum(spans)
    placed: list[Bar] = []
    ticks: list[tuple[float, str]] = []
    left = worked = 0.0
    for i, (blocks, span) in enumerate(zip(drawn, spans, strict=True)):
        edges, heights = rates(blocks, max(1, round(BARS * span / sum(spans))))
        places = left + (edges - edges[0]) * scale
        if not ticks or ticks[-1][0] + ROOM < left < 1.0 - ROOM:
            ticks.append((left, f"session {i + 1}" if len(drawn) > 1 else "0 s"))
        for j, height in enumerate(heights.tolist()):
            since = edges[j : j + 2] - edges[0] + worked
            text = f"{height:,.0f} tokens/s, from {_clock(since[0])} to {_clock(since[1])} of work"
            placed.append(Bar(float(places[j]), float(places[j + 1]), height, text))
        left, worked = float(places[-1]) + BETWEEN, worked + span
    ticks.append((1.0, duration(worked)))
    return placed, ticks


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds of work."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
