"""How numbers and lists are put into words."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, noun: str) -> str:
    """`1 part`, `2,000 parts`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def amount(size: int) -> str:
    """Bytes as `8.4 kB` or `12.3 MB`."""
    return f"{size / 1e3:,.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def duration(seconds: float) -> str:
    """`42 s`, `6 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names separated by commas, cut if there are many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
