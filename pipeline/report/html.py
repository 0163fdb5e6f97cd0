"""Pieces of a page: escaped text, tables, times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from html import escape
from urllib.parse import quote

LONG = 30  # letters that must stay together on a narrow screen, at most


def breakable(text: str) -> str:
    """Escaped text that may be cut behind the signs within paths and names, and not in words."""
    marked = "".join(f"{escape(part)}<wbr>" for part in re.findall(r"[^/._\-,=]*[/._\-,=]+", text))
    rest = re.sub(r".*[/._\-,=]", "", text, flags=re.DOTALL)
    return marked + escape(rest)


def code(text: str) -> str:
    """Text as it was typed; only what has no place to be cut is cut anywhere."""
    pieces = re.split(r"[\s/._\-,=]+", text)
    long = ' class="long"' if any(len(piece) > LONG for piece in pieces) else ""
    return f"<code{long}>{breakable(text)}</code>"


def link(path: Sequence[str], text: str) -> str:
    """A link to a file beside the page. path: names of folders and file; text: HTML."""
    return f'<a href="{"/".join(quote(name, safe="") for name in path)}">{text}</a>'


def moment(seconds: float) -> str:
    """A time to the minute, in UTC, as a `time` element."""
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return f'<time datetime="{at:%Y-%m-%dT%H:%MZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def table(
    rows: Iterable[Sequence[str | int]], head: Sequence[str] = (), kind: str = "", label: str = ""
) -> str:
    """Rows of cells, HTML or numbers, which are aligned to the right and sorted by their value.

    With a head the table scrolls sideways within the page, and label says what it is.
    """
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not head:
        return f"<table><tbody>{body}</tbody></table>"
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="{kind}"><thead><tr>{names}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: str | int) -> str:
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f"<td>{value}</td>"
