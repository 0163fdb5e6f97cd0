"""What a run does to text: the settings that every block of one output folder shares."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from elmo.errors import UserError
from elmo.options import Options, parse_options
from transforms.layout import Layout
from transforms.storage import read_bytes

TOKENIZERS = ("moses", "whitespace")
LIMIT_LINE = 1 << 20  # bytes; a longer line is rejected without being held


@dataclass(frozen=True)
class Settings:
    """A run's settings, as run.json keeps them. The command line says what each means.

    `model` and `memory` may change from one session of a run to the next: `digest` tells whether
    it is the same model, and memory changes no vector.
    """

    digest: str
    options: dict[str, Any] = field(default_factory=dict)
    model: str = "default"
    engine: str = "native"
    precision: str = "float32"
    memory: int = 1 << 30
    outputs: tuple[str, ...] = ("elmo",)
    format: str = "parquet"
    dtype: str = "float32"
    block_size: int = 256 << 10
    normalize: str = "nfc"
    tokenizer: str = "moses"
    language: str = "en"
    split_sentences: bool = False
    max_tokens: int = 5000
    long_sentences: str = "reject"
    pad_to: int | None = None
    text_field: str = "text"
    text_column: str = "text"
    id_field: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hexadecimal; alike for settings that give the same part files."""
        compared = {
            name: value
            for name, value in self.to_json().items()
            if name in COMPARED and (name, value) not in AS_BEFORE
        }
        return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def model_options(self) -> Options:
        """`options` as the model's floor has them; UserError where they are damaged."""
        return parse_options(json.dumps(self.options), "run.json")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON keeps them: tuples as lists."""
        return {**asdict(self), "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Settings:
        """The settings that `to_json` gave."""
        known = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        return cls(**{**known, "outputs": tuple(known["outputs"])})


# Settings that came later, where they change nothing: an older run's blocks are still done.
AS_BEFORE = (("precision", "float32"),)
COMPARED = tuple(f.name for f in fields(Settings) if f.name not in ("model", "memory", "options"))


def read_settings(layout: Layout) -> Settings:
    """The settings of the run in a folder; UserError where there is none."""
    text = read_bytes(layout.run)
    if text is None:
        raise UserError(f"{layout.root} is no run of elmo-beam: it has no run.json")
    try:
        return Settings.from_json(json.loads(text)["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{layout.run} is damaged ({error}): start afresh with --overwrite"
        ) from None
