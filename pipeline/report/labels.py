"""Names on a map, each near its place and none over another."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

LONGEST = 20  # letters of a name shown
RINGS, TURNS = 5, 16  # places tried: so many around each of so many circles

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Label:
    """A name, where its middle is, and what it names; beside: it must not cover its place."""

    x: float
    y: float
    text: str
    beside: bool = False

    @property
    def shown(self) -> str:
        """The name, cut if it is long."""
        return self.text if len(self.text) <= LONGEST else f"{self.text[: LONGEST - 1]}…"

    def box(self, size: float) -> Box:
        """What it covers in letters of a size; y is the line that they stand on."""
        wide = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.66 for c in self.shown)
        half = size * (wide + 0.4) / 2
        return self.x - half, self.y - size, self.x + half, self.y + 0.35 * size


def placed_labels(wanted: Sequence[Label], width: float, height: float, size: float) -> list[Label]:
    """Those that have room near their places, the first first, none over another.

    size: of the letters. Nor do they cover the place of one that must stand beside it.
    """
    taken = [(each.x - 5, each.y - 5, each.x + 5, each.y + 5) for each in wanted if each.beside]
    placed = []
    for label in wanted:
        for moved in _around(label, size):
            box = moved.box(size)
            if _inside(box, width, height) and not any(_overlap(box, other) for other in taken):
                placed.append(moved)
                taken.append(box)
                break
    return placed


def _around(label: Label, size: float) -> Iterator[Label]:
    """The label at its place, then farther and farther away, above it first."""
    yield label
    for ring in range(1, RINGS + 1):
        for turn in range(TURNS):
            angle = 2 * math.pi * turn / TURNS
            far = ring * size / 2
            # Letters stand on y, so that a third of their height below it they are in the middle.
            x, y = label.x + 2 * far * math.sin(angle), label.y + size / 3 - far * math.cos(angle)
            yield replace(label, x=x, y=y)


def _inside(box: Box, width: float, height: float) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
