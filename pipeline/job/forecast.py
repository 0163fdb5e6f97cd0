"""What a run would do: counted by reading and tokenizing everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from elmo_beam.elmo.encoder.passes import ROWS, pass_end
from elmo_beam.elmo.model.outputs import SENTENCE_OUTPUT, output_dim
from elmo_beam.elmo.preparation import covering_length
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.elmo.wording import counted, duration, listed
from elmo_beam.pipeline.job.manifest import damage_line
from elmo_beam.pipeline.terminal.flag_types import written_size
from elmo_beam.transforms.accounts import Piece
from elmo_beam.transforms.corpus import sentence_blocks
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.shards import Damaged, Unread
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.packs import joined, new_packs
from elmo_beam.transforms.text.reader import TextReader
from elmo_beam.transforms.top_words import most_frequent, token_counts, without_pool
from elmo_beam.transforms.words.occurrences import sentence_columns

PERCENTILES = (50, 90, 99, 99.9, 100)
LONG = 500  # tokens of a sequence whose companions `plan` looks for
LARGEST_BLOCK = 16 << 20  # that it suggests: a block is what a fault costs, and is held in memory
DTYPE_BYTES = {"float32": 4, "float16": 2}


@dataclass
class Forecast:
    """What the input holds.

    lengths: tokens per sentence. input_bytes: by which blocks are cut. sums: rows of a pooled run's
    parts.
    """

    files: int = 0
    blocks: int = 0
    lines: int = 0
    blank: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    text_bytes: int = 0
    lengths: list[np.ndarray] = field(default_factory=list)
    input_bytes: int = 0
    passed_over: int = 0
    passed_sentences: int = 0
    uses: Counter[int] = field(default_factory=Counter)
    sums: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, block: SentenceBlock, settings: Settings) -> None:
        """Count one block."""
        self.lines += block.total("lines")
        self.blank += block.total("blank")
        for reason, n in block.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + n
        self.lengths.append(np.asarray(block.sentences["num_tokens"]))
        in_text = pc.sum(pc.binary_length(block.sentences["text"])).as_py() or 0
        self.input_bytes += max(block.total("length"), in_text)  # a table's length is in rows
        self.passed_over += block.total("passed_over")
        self.passed_sentences += block.total("passed_sentences")
        if block.occurrences is None:
            self.text_bytes += block.sentences.nbytes
        else:  # each has its sentence beside it, or a part of it
            self.uses.update(block.occurrences.words)
            self.sums += len(set(block.occurrences.words))
            if not settings.pool:
                rows = sentence_columns(block.sentences, block.occurrences, settings)
                self.text_bytes += rows.nbytes


def forecast_of(paths: list[str], settings: Settings) -> Forecast:
    """Read, normalize and tokenize everything, as a run would, whose `words` are known."""
    forecast = Forecast()
    reader = TextReader(settings)
    packs = new_packs(paths, settings)
    pack_of = {plan.shard.path: pack.stem for pack in packs for plan in pack.plans}
    packed: dict[str, list[Piece]] = {}
    for path in paths:
        forecast.files += 1
        try:
            for block in sentence_blocks(path, settings, reader):
                forecast.add(block, settings)
                if path in pack_of:
                    packed.setdefault(pack_of[path], []).extend(block.key.pieces)
                else:
                    forecast.blocks += 1
        except Damaged as damage:
            forecast.problems.append(damage_line(path, str(damage)))
        except Unread as cause:
            forecast.problems.append(f"cannot read {path} ({cause})")
    forecast.blocks += sum(len(joined(own, settings.block_size)) for own in packed.values())
    return forecast


def described(forecast: Forecast, settings: Settings, rate: float | None) -> list[str]:
    """The forecast in a dozen lines."""
    lengths = np.concatenate([*forecast.lengths, np.zeros(0, np.int32)])
    tokens, sentences = int(lengths.sum()), len(lengths)
    rejected = sum(forecast.rejected.values())
    rows = [
        ("files", f"{forecast.files:,} in {counted(forecast.blocks, 'block')}"),
        ("lines", f"{forecast.lines:,} ({forecast.blank:,} blank, {rejected:,} rejected)"),
        *((f"  {reason}", f"{n:,}") for reason, n in sorted(forecast.rejected.items())),
        *_words(forecast, settings),
        ("sentences", f"{sentences:,}"),
        ("tokens", f"{tokens:,}"),
    ]
    if sentences:
        shown = [
            f"{p}%: {int(v)}"
            for p, v in zip(
                PERCENTILES, np.percentile(lengths, PERCENTILES, method="higher"), strict=True
            )
        ]
        rows.append(("tokens per sentence", ", ".join(shown)))
        limit = f"--max_tokens {suggested_max_tokens(lengths)}"
        rows.append(("suggested", f"{limit} --long_sentences split (keeps 99.9% whole)"))
        if larger := suggested_block_size(forecast, lengths, settings):
            block_size, together = larger
            why = f"so that {together} long sequences go through the model together"
            rows.append(("", f"--block_size {written_size(block_size)} ({why})"))
    if settings.pool:
        rows += _pooled(forecast, settings)
    else:
        vectors = (forecast.uses.total(),) * 2 if settings.words else (tokens, sentences)
        size = forecast.text_bytes + output_bytes(settings, *vectors)
        rows.append(("output", f"about {size / 1e6:,.0f} MB"))
    if rate is not None:
        rows.append(("time", f"{duration(tokens / rate)} at {rate:,.0f} tokens/s, plus start-up"))
    else:
        rows.append(("time", "give --rate TOKENS_PER_SECOND to know"))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def _words(forecast: Forecast, settings: Settings) -> Iterator[tuple[str, str]]:
    """What a run of words would find."""
    if not settings.words:
        return
    passed = counted(forecast.passed_sentences, "sentence")
    yield "passed over", f"{counted(forecast.passed_over, 'line')}, {passed} in all"
    found = len(forecast.uses)
    words = counted(len(settings.words), "word")
    yield "occurrences", f"{forecast.uses.total():,} of {found:,} of {words}"
    never = [word for i, word in enumerate(settings.words) if i not in forecast.uses]
    if never:
        yield "never found", listed(never, most=20)


def _pooled(forecast: Forecast, settings: Settings) -> Iterator[tuple[str, str]]:
    """What a pooled run would write: two float64 a number in parts, two float32 in the end."""
    numbers = sum(output_dim(settings.model_options, name) for name in settings.outputs)
    parts, words = forecast.sums * numbers * 16, len(forecast.uses) * numbers * 8
    yield "parts", f"at most {parts / 1e6:,.0f} MB in {counted(forecast.sums, 'row')}"
    yield "words.parquet", f"at most {words / 1e6:,.0f} MB"


def most_frequent_words(paths: list[str], settings: Settings) -> tuple[str, ...]:
    """The words that a run with `top_words` would count; of files that are whole."""
    whole, counts = without_pool(settings), Counter[str]()
    reader = TextReader(whole)
    for path in paths:
        with suppress(Damaged, Unread):  # the forecast says so
            for block in sentence_blocks(path, whole, reader):
                counts.update(token_counts(block, whole))
    assert settings.top_words is not None
    return most_frequent(counts, settings.top_words)


def suggested_max_tokens(lengths: np.ndarray) -> int:
    """A round limit that keeps 99.9% of the sentences whole."""
    return int(np.ceil(covering_length(lengths, 99.9) / 10) * 10)


def suggested_block_size(
    forecast: Forecast, lengths: np.ndarray, settings: Settings
) -> tuple[int, int] | None:
    """A block size, in whole KiB, and how many long sequences it lets through together.

    A step of the LSTMs takes hardly longer for ROWS sequences than for one. None if sequences are
    short, if blocks hold as many as there are or as memory allows, or if few of them lie among much
    else.
    """
    typical = int(np.median(lengths))
    if settings.words or settings.limit is not None or typical < LONG:
        return None
    alike = Sentences(["x"], np.zeros(ROWS * typical, np.int32), typical * np.arange(ROWS + 1))
    most = pass_end(settings.model_options, alike, 0, list(settings.outputs), settings.memory)
    together = min(most, len(lengths))
    needed = together * forecast.input_bytes / len(lengths)
    if not settings.block_size < needed <= LARGEST_BLOCK:
        return None
    return 1024 << int(np.ceil(np.log2(needed / 1024))), together


def output_bytes(settings: Settings, tokens: int, sentences: int) -> int:
    """About how many bytes the vectors take in the parts."""
    packing = output_format(settings.format).packing(settings)
    floats = sum(
        output_dim(settings.model_options, name)
        * (sentences if name == SENTENCE_OUTPUT else tokens)
        for name in settings.outputs
    )
    return int(floats * DTYPE_BYTES[settings.dtype] * packing)
