"""A biLM's options: its shape, as the published models' `options.json` states it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from elmo_beam.elmo.errors import UserError

N_CHARACTERS = (
    262  # 256 bytes, <S>, </S>, word begin, word end, word padding, and row 0 for no word
)
BILM, MANY_LANGS = "bilm", "many_langs"  # families: bilm-tf's, and ELMoForManyLangs
# Far more than any ELMo has, but few enough that a damaged or made-up file is refused at once.
MAX_SIZE = 1 << 24  # of any one dimension
MAX_COUNT = 1 << 10  # of layers, of highway layers and of pairs of filters
MAX_CHARACTERS = 1 << 12  # of a token
MAX_PARAMETERS = 1 << 32  # 16 GiB of float32; google/elmo has 93.6 M
ACTIVATIONS = ("relu", "tanh")
FORGET_BIAS = 1.0  # added to every LSTM cell's forget gate, beside its own bias


@dataclass(frozen=True)
class ModelOptions:
    """A biLM's shape. `filters` are pairs: width in characters, number of filters.

    A model without a character CNN has no filters, one without a table of words no words. family:
    how a token is numbered, and whether its vector always goes through a projection.
    """

    filters: tuple[tuple[int, int], ...]
    char_dim: int
    activation: str
    n_highway: int
    max_characters: int
    lstm_dim: int
    projection_dim: int
    n_layers: int
    cell_clip: float | None
    proj_clip: float | None
    use_skip_connections: bool
    family: str = BILM
    n_characters: int = N_CHARACTERS
    n_words: int = 0
    word_dim: int = 0

    @property
    def n_filters(self) -> int:
        """Width of the character CNN's output, before the projection."""
        return sum(n for _, n in self.filters)

    @property
    def token_dim(self) -> int:
        """Width of a token's vector before the projection: its word's, then its characters'."""
        return self.word_dim + self.n_filters

    @property
    def has_token_projection(self) -> bool:
        """bilm-tf projects only where the widths differ, ELMoForManyLangs always."""
        return self.family == MANY_LANGS or self.token_dim != self.projection_dim

    @property
    def has_lstm_projection(self) -> bool:
        """bilm-tf's LSTM cell has a projection only where it is narrower than the cell."""
        return self.family == MANY_LANGS or self.projection_dim < self.lstm_dim

    @property
    def is_trainable(self) -> bool:
        """Whether `train` can make a model of this shape: of characters, as bilm-tf does."""
        return self.family == BILM and bool(self.filters)

    def skips(self, layer: int) -> bool:
        """Whether an LSTM layer, counted from 0, adds its input to its output."""
        return layer > 0 and self.use_skip_connections

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every array of the biLM by its name in the published layout, in a fixed order.

        `char_embed` includes its padding row, which the published file leaves out. `embedding` is
        the table of words, named as in bilm-tf.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        if self.n_words:
            shapes["embedding"] = (self.n_words, self.word_dim)
        if self.filters:
            shapes["char_embed"] = (self.n_characters, self.char_dim)
        for i, (width, n) in enumerate(self.filters):
            shapes[f"CNN/W_cnn_{i}"] = (1, width, self.char_dim, n)
            shapes[f"CNN/b_cnn_{i}"] = (n,)
        for i in range(self.n_highway):
            for gate in ("carry", "transform"):
                shapes[f"CNN_high_{i}/W_{gate}"] = (self.n_filters, self.n_filters)
                shapes[f"CNN_high_{i}/b_{gate}"] = (self.n_filters,)
        if self.has_token_projection:
            shapes["CNN_proj/W_proj"] = (self.token_dim, self.projection_dim)
            shapes["CNN_proj/b_proj"] = (self.projection_dim,)
        for direction in (0, 1):
            for layer in range(self.n_layers):
                cell = cell_name(direction, layer)
                shapes[f"{cell}/W_0"] = (2 * self.projection_dim, 4 * self.lstm_dim)
                shapes[f"{cell}/B"] = (4 * self.lstm_dim,)
                if self.has_lstm_projection:
                    shapes[f"{cell}/W_P_0"] = (self.lstm_dim, self.projection_dim)
        return shapes

    def to_json(self) -> dict[str, Any]:
        """The same options as `options.json` spells them.

        bilm-tf has no spelling for ELMoForManyLangs: a section of our own, `many_langs`.
        """
        document: dict[str, Any] = {}
        if self.filters:
            document["char_cnn"] = {
                "activation": self.activation,
                "embedding": {"dim": self.char_dim},
                "filters": [list(f) for f in self.filters],
                "max_characters_per_token": self.max_characters,
                "n_characters": self.n_characters,
                "n_highway": self.n_highway,
            }
        if self.n_words:
            document["n_tokens_vocab"] = self.n_words
        if self.family == MANY_LANGS:
            document["many_langs"] = {
                "max_characters_per_token": self.max_characters,
                "word_dim": self.word_dim,
            }
        return {
            **document,
            "lstm": {
                "cell_clip": self.cell_clip,
                "dim": self.lstm_dim,
                "n_layers": self.n_layers,
                "proj_clip": self.proj_clip,
                "projection_dim": self.projection_dim,
                "use_skip_connections": self.use_skip_connections,
            },
        }

    def variants(self) -> list[ModelOptions]:
        """The same shape with each activation, with and without skip connections.

        No array distinguishes these, so a checkpoint without options is one of the four.
        """
        return [
            replace(self, activation=activation, use_skip_connections=skip)
            for skip in (True, False)
            for activation in ACTIVATIONS
        ]


def cell_name(direction: int, layer: int) -> str:
    """The published layout's group for one LSTM cell; direction 0 reads forward, 1 backward."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def checked_options(options: ModelOptions, source: str) -> ModelOptions:
    """The same options; UserError, naming `source`, if no biLM has them."""
    problems = {
        **_token_problems(options),
        "sizes must be positive": min(
            options.lstm_dim, options.projection_dim, options.n_layers, *_token_sizes(options)
        )
        < 1,
        f"n_layers, n_highway and the number of filters must not be over {MAX_COUNT:,}": max(
            options.n_layers, options.n_highway, len(options.filters)
        )
        > MAX_COUNT,
        "projection_dim must not be larger than dim": options.projection_dim > options.lstm_dim,
    }
    for rule, broken in problems.items():
        if broken:
            raise UserError(f"{source}: {rule}")
    parameters = sum(map(math.prod, options.shapes().values()))
    if parameters > MAX_PARAMETERS:
        raise UserError(
            f"{source} asks for {parameters:,} parameters: no ELMo has over {MAX_PARAMETERS:,}"
        )
    return options


def _token_sizes(options: ModelOptions) -> list[int]:
    """Those that must be positive: a model sees a token's characters, its word, or both."""
    characters = [options.char_dim, options.n_characters] if options.filters else []
    words = [options.n_words, options.word_dim] if options.n_words or not options.filters else []
    return [*characters, *words]


def _token_problems(options: ModelOptions) -> dict[str, bool]:
    """Rules for how a token becomes a vector, and whether the options break them."""
    widest = max((width for width, _ in options.filters), default=1)
    reads_characters = bool(options.filters) or options.family == MANY_LANGS
    return {
        "there must be filters over characters, or words": not (options.filters or options.n_words),
        "filters must be pairs of positive numbers": any(
            width < 1 or n < 1 for width, n in options.filters
        ),
        f"activation must be one of {', '.join(ACTIVATIONS)}": options.activation
        not in ACTIVATIONS,
        "n_highway must not be negative": options.n_highway < 0,
        "max_characters_per_token must be at least 3 and the widest filter": reads_characters
        and options.max_characters < max(3, widest),
        f"max_characters_per_token must not be over {MAX_CHARACTERS:,}": options.max_characters
        > MAX_CHARACTERS,
    }
