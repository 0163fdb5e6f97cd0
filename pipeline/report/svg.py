"""Small pictures as SVG for a page. No script: what is pointed at or focused says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from elmo_beam.pipeline.report.labels import Label, placed_labels

WIDTH = 640
TALL = 140  # the highest bar
TIP = 46  # the height of the strip under a picture where marks say what they are
HINT = "Point at a mark, or tap it, to read it here."
GROUPS = 12  # colours, classes c0, c1, … of the style sheet
LONGEST = 160  # letters of what a mark says
# How large the names on a map are, as in the style sheet: on wide screens, and on narrow ones, on
# which the picture is half as large.
NAMES = (("wide-only", 15), ("narrow-only", 27))


@dataclass(frozen=True)
class Point:
    """A position from 0 to 1 each way, its group, and what to show when it is pointed at.

    beyond: its true place is outside the picture, and this is the nearest on its edge.
    """

    x: float
    y: float
    group: str
    text: str
    beyond: bool = False


@dataclass(frozen=True)
class Bar:
    """From one place to another, from 0 to 1, its height in any unit, and what to show."""

    left: float
    right: float
    height: float
    text: str


def bars(shown: Sequence[Bar], ticks: Sequence[tuple[float, str]], title: str, name: str) -> str:
    """Bars over an axis with some places marked. name: of the picture, unlike any other's."""
    base = TALL + 26
    most = max((bar.height for bar in shown), default=0) or 1
    parts = [f'<text x="0" y="18">{most:,.0f}</text>']
    for bar in shown:
        height = TALL * bar.height / most
        shape = (
            f'<rect x="{bar.left * WIDTH + 1:.1f}" y="{base - height:.1f}" height="{height:.1f}" '
            f'width="{max((bar.right - bar.left) * WIDTH - 2, 1):.1f}"/>'
        )
        # A short bar is as easy to point at as a high one.
        field = (
            f'<rect class="field" x="{bar.left * WIDTH:.1f}" y="{base - TALL}" height="{TALL}" '
            f'width="{(bar.right - bar.left) * WIDTH:.1f}"/>'
        )
        parts.append(_mark(field + shape, bar.text, 0, base + 28))
    parts.append(f'<line x1="0" y1="{base}" x2="{WIDTH}" y2="{base}"/>')
    for i, (place, label) in enumerate(ticks):
        side = "end" if place > 0.9 else "start"
        wide = ' class="wide-only"' if i % 3 and i < len(ticks) - 1 else ""
        parts.append(
            f'<text x="{place * WIDTH:.1f}" y="{base + 22}" text-anchor="{side}"{wide}>'
            f"{escape(label)}</text>"
        )
    return _svg(base + 28, title, name, parts, len(shown))


def scatter(points: Sequence[Point], title: str, name: str, height: int = 420) -> str:
    """A map of points, coloured by group, with the group's name near its middle."""
    groups = {group: i % GROUPS for i, group in enumerate(dict.fromkeys(p.group for p in points))}
    parts, wanted = [], []
    for group, colour in groups.items():
        own = [point for point in points if point.group == group]
        for point in own:
            x, y = _place(point.x, point.y, height)
            kind = ' class="beyond"' if point.beyond else ""
            shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"{kind}/>'
            says = f"{point.text} (outside the picture)" if point.beyond else point.text
            parts.append(_mark(shape, says, colour, height))
        middle = sorted(own, key=lambda p: p.x)[len(own) // 2].x
        centre = sorted(own, key=lambda p: p.y)[len(own) // 2].y
        wanted.append(Label(*_place(middle, centre, height), group, beside=len(own) == 1))
    for where, size in NAMES:
        for label in placed_labels(wanted, WIDTH, height, size):
            kind = f"name {where} c{groups[label.text]}"
            place = f'x="{label.x:.1f}" y="{label.y:.1f}"'
            parts.append(f'<text {place} class="{kind}">{escape(label.shown)}</text>')
    return _svg(height, title, name, parts, len(points))


def _mark(shape: str, text: str, colour: int, below: int) -> str:
    """A shape that can be pointed at, tapped and focused, and then says its text below."""
    text = escape(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
    return (
        f'<g class="mark c{colour}" tabindex="0" role="img" aria-label="{text}">{shape}'
        f'<foreignObject x="0" y="{below}" width="{WIDTH}" height="{TIP}"><div>{text}</div>'
        "</foreignObject></g>"
    )


def _place(x: float, y: float, height: int) -> tuple[float, float]:
    """Pixels, with a margin for names."""
    return 40 + x * (WIDTH - 80), 20 + (1 - y) * (height - 40)


def _svg(height: int, title: str, name: str, parts: Sequence[str], marks: int) -> str:
    """The picture, and before it a way past its marks for those who go from one to the next.

    height: without the strip under it.
    """
    return (
        f'<a class="skip" href="#after-{name}">Skip the {marks:,} marks of the picture</a>'
        f'<svg viewBox="0 0 {WIDTH} {height + TIP}" role="group" aria-label="{escape(title)}">'
        f'<text x="0" y="{height + 18}" class="hint">{HINT}</text>'
        f'{"".join(parts)}</svg><span id="after-{name}"></span>'
    )
