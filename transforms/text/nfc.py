"""Unicode and white space, normalized. It imports nothing slow, for commands that only check."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")  # Cc less white space


def normalize_nfc(text: str) -> str:
    """NFC, runs of white space (str.isspace) to one space, ends stripped, other controls removed.

    Controls go first, so that what they separated is composed and collapsed: the result is a fixed
    point of the function.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = _many_marks().sub(_in_canonical_order, CONTROLS.sub("", text))
    return " ".join(unicodedata.normalize("NFC", text).split())


def comparable(text: str, folds: bool) -> str:
    """Text as words are compared: normalized, and, if so wished, without its case.

    Both sides of a comparison are: tokens may stand as their text has them. Case is folded as the
    Unicode Standard does for canonical caseless matching (section 3.13).
    """
    if text.isascii() and text.isprintable():
        return text.lower() if folds else text
    text = normalize_nfc(text)
    return normalize_nfc(unicodedata.normalize("NFD", text).casefold()) if folds else text


@cache
def _many_marks() -> re.Pattern[str]:
    """Long runs of combining marks, which normalizing would sort in quadratic time.

    Compiled when first needed, since finding the marks means looking at every code point.
    """
    marks = (c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.combining(c))
    return re.compile(f"[{''.join(marks)}]{{64,}}")


def _in_canonical_order(marks: re.Match[str]) -> str:
    return "".join(sorted(marks[0], key=unicodedata.combining))
