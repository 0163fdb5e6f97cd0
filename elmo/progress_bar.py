"""A tqdm bar, on a terminal or in a notebook."""

from __future__ import annotations

import warnings
from typing import Any


def progress_bar(**options: Any) -> Any:
    """A bar with tqdm's own options; in a notebook without ipywidgets it is drawn as text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ipywidgets is missing
        from tqdm.auto import tqdm
    return tqdm(**options)
