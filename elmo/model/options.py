"""A biLM's options: its shape, as the published models' `options.json` states it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from reprlib import repr as shortened
from typing import Any

from elmo_beam.elmo.errors import UserError

N_CHARACTERS = (
    262  # 256 bytes, <S>, </S>, word begin, word end, word padding, and row 0 for no word
)
# Far more than any ELMo has, but few enough that a damaged or made-up file is refused at once.
MAX_SIZE = 1 << 24  # of any one dimension
MAX_COUNT = 1 << 10  # of layers, of highway layers and of pairs of filters
MAX_CHARACTERS = 1 << 12  # of a token
MAX_PARAMETERS = 1 << 32  # 16 GiB of float32; google/elmo has 93.6 M
ACTIVATIONS = ("relu", "tanh")
FORGET_BIAS = 1.0  # added to every LSTM cell's forget gate, beside its own bias


@dataclass(frozen=True)
class ModelOptions:
    """A biLM's shape. `filters` are pairs: width in characters, number of filters."""

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

    @property
    def n_filters(self) -> int:
        """Width of the character CNN's output, before the projection."""
        return sum(n for _, n in self.filters)

    @property
    def has_cnn_projection(self) -> bool:
        """bilm-tf projects only where the widths differ."""
        return self.n_filters != self.projection_dim

    @property
    def has_lstm_projection(self) -> bool:
        """bilm-tf's LSTM cell has a projection only where it is narrower than the cell."""
        return self.projection_dim < self.lstm_dim

    def skips(self, layer: int) -> bool:
        """Whether an LSTM layer, counted from 0, adds its input to its output."""
        return layer > 0 and self.use_skip_connections

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every array of the biLM by its name in the published layout, in a fixed order.

        `char_embed` includes its padding row, which the published file leaves out.
        """
        shapes: dict[str, tuple[int, ...]] = {"char_embed": (N_CHARACTERS, self.char_dim)}
        for i, (width, n) in enumerate(self.filters):
            shapes[f"CNN/W_cnn_{i}"] = (1, width, self.char_dim, n)
            shapes[f"CNN/b_cnn_{i}"] = (n,)
        for i in range(self.n_highway):
            for gate in ("carry", "transform"):
                shapes[f"CNN_high_{i}/W_{gate}"] = (self.n_filters, self.n_filters)
                shapes[f"CNN_high_{i}/b_{gate}"] = (self.n_filters,)
        if self.has_cnn_projection:
            shapes["CNN_proj/W_proj"] = (self.n_filters, self.projection_dim)
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
        """The same options as `options.json` spells them."""
        return {
            "char_cnn": {
                "activation": self.activation,
                "embedding": {"dim": self.char_dim},
                "filters": [list(f) for f in self.filters],
                "max_characters_per_token": self.max_characters,
                "n_characters": N_CHARACTERS,
                "n_highway": self.n_highway,
            },
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


def parse_options(text: str | bytes, source: str) -> ModelOptions:
    """ModelOptions from the text of an `options.json`; `source` names it in errors.

    Raises UserError if it is not JSON, lacks a field or has a value that no biLM can have.
    """
    try:
        document = json.loads(text)
        cnn, lstm = document["char_cnn"], document["lstm"]
        n_highway = cnn.get("n_highway")
        options = ModelOptions(
            filters=tuple((_whole(width), _whole(n)) for width, n in cnn["filters"]),
            char_dim=_whole(cnn["embedding"]["dim"]),
            activation=cnn["activation"],
            n_highway=0 if n_highway is None else _whole(n_highway),
            max_characters=_whole(cnn["max_characters_per_token"]),
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


def checked_options(options: ModelOptions, source: str) -> ModelOptions:
    """The same options; UserError, naming `source`, if no biLM has them."""
    problems = {
        "filters must be pairs of positive numbers": not options.filters
        or any(width < 1 or n < 1 for width, n in options.filters),
        f"activation must be one of {', '.join(ACTIVATIONS)}": options.activation
        not in ACTIVATIONS,
        "sizes must be positive": min(
            options.char_dim, options.lstm_dim, options.projection_dim, options.n_layers
        )
        < 1,
        "n_highway must not be negative": options.n_highway < 0,
        f"n_layers, n_highway and the number of filters must not be over {MAX_COUNT:,}": max(
            options.n_layers, options.n_highway, len(options.filters)
        )
        > MAX_COUNT,
        "projection_dim must not be larger than dim": options.projection_dim > options.lstm_dim,
        "max_characters_per_token must be at least 3 and the widest filter": options.max_characters
        < max([3, *(width for width, _ in options.filters)]),
        f"max_characters_per_token must not be over {MAX_CHARACTERS:,}": options.max_characters
        > MAX_CHARACTERS,
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
