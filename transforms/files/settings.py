"""The settings that every block of one output folder shares, as run.json keeps them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any

from elmo_beam import __version__
from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.wording import listed
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import read_bytes, write_bytes

LIBRARIES = (
    "elmo-beam", "apache-beam", "tensorflow", "tensorflow-hub", "pyarrow", "numpy", "sacremoses",
)  # fmt: skip

# Raised when the same settings give other part files, so that those of before are made again.
PARTS_VERSION = 1

# Fields that runs recorded before lack. Their default must be what those runs did: with it, the
# fingerprint is what it was, and such a run continues.
ADDED = (
    "parquet_encoding", "trust_model", "words", "word_case", "word_key", "context", "pool",
    "top_words", "keep_fields", "limit",
)  # fmt: skip

LISTS = ("outputs", "words", "keep_fields")  # tuples, which JSON has as lists

BLOCK_SIZE = 256 << 10
# Of a run of words, few of whose sentences go through the model: as many as make that efficient.
WORDS_BLOCK_SIZE = 2 << 20
MAX_TOKENS = 5000  # of a sentence, where neither a setting nor the input's format says otherwise


@dataclass(frozen=True)
class Settings:
    """What a run does to text.

    All but `model`, `trust_model`, `memory` and `options` is fixed for one output folder.

    Attributes:
        model: a handle.
        encoder: "native"; "module" to run a TF-Hub module itself, for checking; or "allennlp",
            native, but tokens `<S>` and `</S>` are the boundaries of a sentence.
        precision: of the LSTMs' products, "float32" or "bfloat16".
        memory: bytes for the vectors of one pass through the model.
        outputs: any of `word_emb`, `lstm_outputs1`, …, `elmo`, `default`.
        format: of the parts, "parquet" or "tfrecord".
        dtype: of the vectors, "float32" or "float16".
        block_size: bytes of text per part.
        normalize: "nfc" or "none".
        tokenizer: "moses" or "whitespace".
        language: a code, for Moses and for splitting.
        split_sentences: cut lines into sentences first.
        max_tokens: per sentence; None: as the input's format has it.
        long_sentences: "reject", "truncate" or "split" those that have more.
        pad_to: pad tokens and vectors to this many (TFRecord).
        text_field: where JSON Lines have the text.
        text_column: where Parquet, CSV and TSV have the text.
        id_field: a JSON field or Parquet column to copy.
        parquet_encoding: of the parts' float32 vectors, "byte_stream_split" or "plain".
        trust_model: let a TF-Hub module's graph run whatever its ops do.
        words: write a row for each occurrence of these only, instead of whole sentences.
        word_case: "exact", or "fold" where upper and lower case are the same.
        word_key: by what words are found, "form", "lemma", "form/upos" or "lemma/upos".
        context: keep so many tokens on either side of a word instead of the sentence.
        pool: "word" to keep only the mean and variance of each word's vectors.
        top_words: look for so many of the most frequent tokens, which a command counts first, and
            which then are `words`.
        keep_fields: JSON fields or columns to copy, each NAME or NAME:TYPE; a run records their
            types.
        limit: take so many lines of each file, its first.
        digest: of the model; filled in when a run begins.
        options: of the model; filled in when a run begins.
    """

    model: str = "default"
    encoder: str = "native"
    precision: str = "float32"
    memory: int = 1 << 30
    outputs: tuple[str, ...] = ("elmo",)
    format: str = "parquet"
    dtype: str = "float32"
    block_size: int = BLOCK_SIZE
    normalize: str = "nfc"
    tokenizer: str = "moses"
    language: str = "en"
    split_sentences: bool = False
    max_tokens: int | None = None
    long_sentences: str = "reject"
    pad_to: int | None = None
    text_field: str = "text"
    text_column: str = "text"
    id_field: str | None = None
    parquet_encoding: str = "byte_stream_split"
    trust_model: bool = False
    words: tuple[str, ...] = ()
    word_case: str = "exact"
    word_key: str = "form"
    context: int | None = None
    pool: str | None = None
    top_words: int | None = None
    keep_fields: tuple[str, ...] = ()
    limit: int | None = None
    digest: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property  # asked for with every block
    def fingerprint(self) -> str:
        """Hexadecimal; the same for settings that give the same rows in the same parts."""
        compared = {
            name: value
            for name, value in self.to_json().items()
            if name in COMPARED and not (name in ADDED and value == DEFAULTS[name])
        }
        compared["max_tokens"] = self.max_tokens or MAX_TOKENS  # as runs of before have recorded it
        compared["parts"] = PARTS_VERSION
        return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def word_annotations(self) -> tuple[str, ...]:
        """What a run must know of each token, beside its form, to find its words."""
        names = self.word_key.split("/") if self.words else []
        return tuple(name for name in names if name != "form")

    @property
    def model_options(self) -> ModelOptions:
        """`options` as the model's floor has them; UserError if they are damaged."""
        return parse_options(json.dumps(self.options), "run.json")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON keeps them: tuples as lists."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in LISTS}}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Settings:
        """The settings that `to_json` gave, now or before the fields in ADDED existed."""
        names = [f.name for f in fields(cls) if f.name in document or f.name not in ADDED]
        known = {name: document[name] for name in names}
        lists = {name: tuple(known.get(name, ())) for name in LISTS}
        settings = cls(**{**known, **lists})
        if "limit" not in document and settings.max_tokens == MAX_TOKENS:  # it was the default
            return replace(settings, max_tokens=None)
        return settings


def usual_block_size(words: Sequence[str], top_words: int | None) -> int:
    """The block size that a command takes if none is given."""
    return WORDS_BLOCK_SIZE if len(words) or top_words is not None else BLOCK_SIZE


FREE = ("model", "trust_model", "memory", "options")  # of no effect on the rows of parts
COMPARED = tuple(f.name for f in fields(Settings) if f.name not in FREE)
DEFAULTS = Settings().to_json()


def read_settings(layout: Layout) -> Settings:
    """The settings of the run in a folder; UserError if there is none."""
    text = read_bytes(layout.run)
    if text is None:
        raise UserError(f"{layout.root} is not a run of elmo-beam: it has no run.json")
    try:
        return Settings.from_json(json.loads(text)["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{layout.run} is damaged, or of another version ({error}): start over with `overwrite`"
        ) from None


def recorded_settings(layout: Layout) -> Settings | None:
    """The settings of the run in a folder, None if there are none that can be read."""
    try:
        return read_settings(layout)
    except UserError:
        return None


def record_settings(layout: Layout, settings: Settings, replace: bool = False) -> None:
    """Write run.json, or compare with the one there; UserError says what differs.

    replace: do not compare.
    """
    text = read_bytes(layout.run)
    if text is not None and not replace:
        _compare(layout, read_settings(layout), settings)
    document = {"settings": settings.to_json(), "versions": run_versions()}
    data = (json.dumps(document, indent=2) + "\n").encode()
    if data != text:
        write_bytes(layout.root, layout.run, data)


def _compare(layout: Layout, before: Settings, now: Settings) -> None:
    differing = [
        f"{_label(name)} {_shown(name, old)}, now {_shown(name, new)}"
        for name in COMPARED
        for old, new in [(getattr(before, name), getattr(now, name))]
        if old != new
    ]
    if differing:
        raise UserError(
            f"{layout.root} is a run with other settings ({'; '.join(differing)}): use the same, "
            "another `output`, or `overwrite`"
        )


def _label(name: str) -> str:
    return "`model` with digest" if name == "digest" else f"`{name}`"


def _shown(name: str, value: Any) -> str:
    if name == "digest":
        return str(value)[:12]
    if name == "max_tokens" and value is None:
        return f"{MAX_TOKENS} by default"
    if isinstance(value, tuple):
        return listed(value) or "none"
    return "none" if value is None else str(value)


@cache
def versions() -> dict[str, str]:
    """Versions of ourselves and of what the vectors depend on."""
    from importlib import metadata  # slow, for --help

    return {name: metadata.version(name) for name in LIBRARIES}


def run_versions() -> dict[str, str | int]:
    """The same, and that of the parts, as run.json and manifest.json have them."""
    return {**versions(), "parts": PARTS_VERSION}


def part_metadata(settings: Settings) -> dict[str, str]:
    """What a part says of itself in its file's metadata; a function of settings and version alone.

    Without the list of words, which may be longer than a part's rows.
    """
    document = settings.to_json()
    del document["words"]
    return {
        "elmo_beam.version": __version__,
        "elmo_beam.parts_version": str(PARTS_VERSION),
        # UTF-8, which a path need not be; the settings have it exactly.
        "elmo_beam.model": settings.model.encode(errors="backslashreplace").decode(),
        "elmo_beam.model_digest": settings.digest,
        "elmo_beam.settings": json.dumps(document),
    }
