"""A biLM's options from JSON: bilm-tf's `options.json`, or what `ModelOptions.to_json` gives."""

from __future__ import annotations

import json
from reprlib import repr as shortened
from typing import Any

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.options import (
    MANY_LANGS,
    MAX_SIZE,
    N_CHARACTERS,
    ModelOptions,
    checked_options,
)

# The fields of a model that does not look at characters.
NO_CHARACTERS: dict[str, Any] = {
    "filters": (),
    "char_dim": 0,
    "activation": "relu",
    "n_highway": 0,
    "max_characters": 0,
    "n_characters": 0,
}


def parse_options(text: str | bytes, source: str) -> ModelOptions:
    """ModelOptions from the text of an `options.json`; `source` names it in errors.

    Raises UserError if it is not JSON, lacks a field or has a value that no biLM can have.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("it is not a JSON object")
        tokens, lstm = _token_options(document), document["lstm"]
        options = ModelOptions(
            **tokens,
            lstm_dim=_whole(lstm["dim"]),
            projection_dim=_whole(lstm["projection_dim"]),
            n_layers=_whole(lstm.get("n_layers", 1)),
            cell_clip=_clip(lstm.get("cell_clip")),
            proj_clip=_clip(lstm.get("proj_clip")),
            use_skip_connections=_flag(lstm.get("use_skip_connections")),
        )
    except KeyError as error:
        raise UserError(
            f"{source} has no field {error}: expected the options.json of an ELMo model"
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{source} is not the options.json of an ELMo model ({error}): check the file"
        ) from None
    return checked_options(options, source)


def _token_options(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of ModelOptions that say how a token becomes a vector."""
    many_langs = document.get("many_langs")
    if many_langs is not None:
        words = {
            "family": MANY_LANGS,
            "n_words": _whole(document.get("n_tokens_vocab", 0)),
            "word_dim": _whole(many_langs["word_dim"]),
            "max_characters": _whole(many_langs["max_characters_per_token"]),
        }
        cnn = document.get("char_cnn")
    elif "char_cnn" not in document and "n_tokens_vocab" in document:
        width = _whole(document["lstm"]["projection_dim"])
        words = {"n_words": _whole(document["n_tokens_vocab"]), "word_dim": width}
        cnn = None
    else:
        words, cnn = {}, document["char_cnn"]
    if cnn is None:
        return {**NO_CHARACTERS, **words}
    n_highway = cnn.get("n_highway")
    if not cnn["filters"]:
        raise ValueError("its filters must be pairs of positive numbers, and there are none")
    return {
        "filters": tuple((_whole(width), _whole(n)) for width, n in cnn["filters"]),
        "char_dim": _whole(cnn["embedding"]["dim"]),
        "activation": cnn["activation"],
        "n_highway": 0 if n_highway is None else _whole(n_highway),
        "max_characters": _whole(cnn["max_characters_per_token"]),
        "n_characters": N_CHARACTERS if many_langs is None else _whole(cnn["n_characters"]),
        **words,
    }


def _whole(value: Any) -> int:
    """A size that some model could have; `2.5` is refused rather than rounded."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_SIZE:
        raise ValueError(f"{shortened(value)} is not a size")
    return value


def _clip(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise ValueError(f"{shortened(value)} is not a clip: clips must be positive or null")
    return float(value)


def _flag(value: Any) -> bool:
    """A JSON boolean; the string "false" would count as true, so it is refused."""
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{shortened(value)} is neither true nor false")
    return bool(value)
