"""How a biLM is trained, as its `options.json` states in addition to the shape."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from elmo_beam.elmo.errors import UserError


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training; all but the last two as bilm-tf's `options.json` names them.

    dropout: share of each LSTM layer's input, and of the softmax's, that is dropped.
    all_clip_norm_val: largest norm of the gradients over all arrays.
    n_negative_samples_batch: words in a batch's sampled softmax.
    n_tokens_vocab: words of the vocabulary at most, including <S>, </S> and <UNK>.
    learning_rate_adam: Adam's, at its peak (bilm-tf's `learning_rate` is Adagrad's).
    batch_tokens: tokens of a batch, padding included (bilm-tf's is batch_size × unroll_steps).
    """

    dropout: float = 0.1
    all_clip_norm_val: float = 10.0
    n_negative_samples_batch: int = 2048
    n_tokens_vocab: int = 30_000
    learning_rate_adam: float = 2e-3
    batch_tokens: int = 5000

    def to_json(self) -> dict[str, Any]:
        """The recipe as `options.json` spells it."""
        return asdict(self)


def parse_recipe(text: str | bytes, source: str) -> Recipe:
    """The recipe in the text of an `options.json`, with our numbers for what it leaves out.

    `parse_options` must have accepted the text. Raises UserError for a value that training cannot
    use.
    """
    document = json.loads(text)
    recipe = Recipe(**{f.name: document[f.name] for f in fields(Recipe) if f.name in document})
    for f in fields(Recipe):
        value = getattr(recipe, f.name)
        whole = isinstance(f.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            kind = "a whole number" if whole else "a number"
            raise UserError(f"{source}: {f.name} {value!r} is not {kind}")
    rules = {
        "dropout": (0 <= recipe.dropout < 1, "from 0 to below 1"),
        "all_clip_norm_val": (0 < recipe.all_clip_norm_val < 1e30, "positive"),
        "n_negative_samples_batch": (recipe.n_negative_samples_batch >= 1, "at least 1"),
        "n_tokens_vocab": (4 <= recipe.n_tokens_vocab < 1 << 31, "at least 4"),
        "learning_rate_adam": (0 < recipe.learning_rate_adam <= 1, "positive and at most 1"),
        "batch_tokens": (1 <= recipe.batch_tokens < 1 << 31, "at least 1"),
    }
    for name, (holds, rule) in rules.items():
        if not holds:
            raise UserError(f"{source}: {name} {getattr(recipe, name)} must be {rule}")
    return recipe
