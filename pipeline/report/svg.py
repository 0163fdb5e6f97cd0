"""Small pictures as SVG for a page: no script, and colours that everyone can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from elmo_beam.elmo.wording import counted

# Okabe and Ito's colours, safe for colour-blind readers, then darker ones.
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d1f", "#7a4fa3",
    "#004c77", "#a36f00", "#006b4f", "#8f3f6b",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A position from 0 to 1 each way, its group, and what to show when it is pointed at."""

    x: float
    y: float
    group: str
    text: str


def histogram(counts: Sequence[int], edges: Sequence[int], width: int = 640) -> str:
    """Bars of counts; each goes from one of the `edges` to the next, so there is one edge more."""
    height, base = 190, 160
    step = width / max(len(counts), 1)
    most = max([*counts, 1])
    parts = []
    for i, count in enumerate(counts):
        tall = 140 * count / most
        last = edges[i + 1] - 1
        start = "" if last == edges[i] else f"{edges[i]} to "
        label = f"{start}{counted(last, 'token')}: {counted(count, 'sentence')}"
        parts.append(
            f'<rect x="{i * step + 1:.1f}" y="{base - tall:.1f}" width="{step - 2:.1f}" '
            f'height="{tall:.1f}" fill="{COLOURS[0]}"><title>{label}</title></rect>'
        )
    for i in range(0, len(edges), max(1, len(edges) // 8)):
        parts.append(f'<text x="{i * step:.1f}" y="{base + 18}">{edges[i]}</text>')
    parts.append(f'<line x1="0" y1="{base}" x2="{width}" y2="{base}" stroke="#999"/>')
    return _svg(width, height, "sentences by their length in tokens", parts)


def scatter(points: Sequence[Point], width: int = 640, height: int = 420) -> str:
    """A map of points, coloured by group, with the group's name at its middle."""
    groups = list(dict.fromkeys(point.group for point in points))
    parts = []
    for i, group in enumerate(groups):
        own = [point for point in points if point.group == group]
        colour = COLOURS[i % len(COLOURS)]
        for point in own:
            x, y = _place(point.x, point.y, width, height)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}" fill-opacity="0.6">'
                f"<title>{escape(point.text)}</title></circle>"
            )
    for i, group in enumerate(groups):
        own = [point for point in points if point.group == group]
        middle = sorted(own, key=lambda p: p.x)[len(own) // 2].x
        centre = sorted(own, key=lambda p: p.y)[len(own) // 2].y
        x, y = _place(middle, centre, width, height)
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="name" style="fill:{COLOURS[i % len(COLOURS)]}">'
            f"{escape(group)}</text>"
        )
    return _svg(
        width, height, "token vectors, in the two directions in which they differ most", parts
    )


def projected(vectors: np.ndarray) -> np.ndarray:
    """[points, 2] from 0 to 1: their first two principal components."""
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    return (flat - flat.min(axis=0)) / np.maximum(np.ptp(flat, axis=0), 1e-9)


def _place(x: float, y: float, width: int, height: int) -> tuple[float, float]:
    """Pixels, with a margin for names."""
    return 40 + x * (width - 80), 20 + (1 - y) * (height - 40)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
