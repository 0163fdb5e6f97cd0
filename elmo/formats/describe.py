"""What a model is, in words and numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.files.regular_files import MOST_OPTIONS, read_regular
from elmo_beam.elmo.formats.registry import format_of
from elmo_beam.elmo.model.costs import lstm_flops, token_flops
from elmo_beam.elmo.model.options import MANY_LANGS, ModelOptions
from elmo_beam.elmo.model.outputs import output_dim, output_names
from elmo_beam.elmo.model.weights import Weights
from elmo_beam.elmo.wording import counted, listed


def description(place: Path, weights: Weights) -> dict[str, str]:
    """A model's properties, in order. place: its folder, or its file of weights."""
    o = weights.options
    parameters = sum(map(math.prod, o.shapes().values()))
    found = {
        "format": format_of(place).name,
        "place": str(place),
        "languages": listed(_languages(place)),
        "tokens": _tokens(o),
        "vocabulary": _vocabulary(weights),
        "LSTMs": _lstms(o),
        "outputs": listed([f"{n} [{output_dim(o, n):,}]" for n in output_names(o)], most=20),
        "parameters": f"{parameters:,} ({_rounded(4 * parameters)}B in memory)",
        "cost": f"{_rounded(lstm_flops(o))}FLOP a token, and {_rounded(token_flops(o))}FLOP a "
        "distinct token",
        "digest": weights.digest,
    }
    return {name: value for name, value in found.items() if value}


def _tokens(o: ModelOptions) -> str:
    parts = []
    if o.n_words:
        parts.append(f"a vector of {o.word_dim:,} for each word")
    if o.filters:
        kind = "Unicode characters" if o.family == MANY_LANGS else "bytes of UTF-8"
        parts.append(
            f"a CNN over {o.max_characters - 2} {kind} ({o.n_filters:,} filters of width "
            f"{min(w for w, _ in o.filters)} to {max(w for w, _ in o.filters)}, {o.activation}, "
            f"{counted(o.n_highway, 'highway layer')})"
        )
    if o.has_token_projection:
        parts.append(f"projected to {o.projection_dim:,}")
    return ", ".join(parts)


def _vocabulary(weights: Weights) -> str:
    tables = (("word", weights.lexicon.words), ("character", weights.lexicon.characters))
    return ", ".join(counted(len(rows), kind) for kind, rows in tables if rows)


def _lstms(o: ModelOptions) -> str:
    clips = [f"{w} {c:g}" for w, c in (("cell", o.cell_clip), ("projection", o.proj_clip)) if c]
    extras = [
        f"projected to {o.projection_dim:,}" if o.has_lstm_projection else "",
        "skip connections" if o.use_skip_connections and o.n_layers > 1 else "",
        f"clips: {', '.join(clips)}" if clips else "",
    ]
    layers = f"{counted(o.n_layers, 'layer')} of {o.lstm_dim:,} in each direction"
    return ", ".join([layers, *filter(None, extras)])


def _rounded(n: int) -> str:
    """`151 M`, `1.2 k`: to be followed by a unit."""
    scales = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1))
    unit, scale = next(((u, s) for u, s in scales if n >= s), ("", 1))
    return f"{n / scale:.3g} {unit}"


def _languages(place: Path) -> list[str]:
    """Those of a meta.json beside the model, as NLPL's repository writes it."""
    try:
        meta: Any = json.loads(
            read_regular((place if place.is_dir() else place.parent) / "meta.json", MOST_OPTIONS)
        )
        corpora = meta.get("corpus", [])
        given = [meta, *(corpora if isinstance(corpora, list) else [corpora])]
        found = [part.get("language") for part in given if isinstance(part, dict)]
    except (UserError, ValueError, AttributeError, RecursionError):
        return []
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))
