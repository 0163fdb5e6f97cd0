"""`elmo-beam plan`: what a run would do, without running it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

from elmo.options import Options
from elmo.outputs import SENTENCE_OUTPUT, output_dim
from elmo.preparation import covering_length
from pipeline.console import complain, say
from pipeline.embed import settings_of
from pipeline.flags import DEFAULTS
from pipeline.progress import duration
from pipeline.report import damage_line
from transforms.corpus import sentence_blocks
from transforms.normalize import SentenceBlock
from transforms.settings import Settings
from transforms.shards import Damaged, expand_inputs
from transforms.text import TextReader

PERCENTILES = (50, 90, 99, 99.9, 100)
PACKED = 0.86  # of raw floats, what a zstd Parquet part of byte-stream-split vectors takes


@dataclass
class Forecast:
    """What the input holds. lengths: each sentence's tokens."""

    files: int = 0
    blocks: int = 0
    lines: int = 0
    blank: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    text_bytes: int = 0
    lengths: list[np.ndarray] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)

    def add(self, block: SentenceBlock) -> None:
        """Count one block."""
        self.blocks += 1
        self.lines += block.key.block.lines
        self.blank += block.blank
        for reason, n in block.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + n
        self.text_bytes += block.sentences.nbytes
        self.lengths.append(np.asarray(block.sentences["num_tokens"]))


def plan(args: argparse.Namespace) -> int:
    """Print the forecast; 1 where a file is damaged."""
    paths = expand_inputs(args.input)
    settings = settings_of(args)
    forecast = forecast_of(paths, settings)
    options = settings.model_options
    say(report(forecast, settings, options, args.rate))
    for path, cause in forecast.damaged:
        complain(damage_line(path, cause))
    return 1 if forecast.damaged else 0


def forecast_of(paths: list[str], settings: Settings) -> Forecast:
    """Read, normalize and tokenize everything, as a run would."""
    forecast = Forecast()
    reader = TextReader(settings)
    for path in paths:
        forecast.files += 1
        try:
            for block in sentence_blocks(path, settings, reader):
                forecast.add(block)
        except Damaged as damage:
            forecast.damaged.append((path, str(damage)))
    return forecast


def report(forecast: Forecast, settings: Settings, options: Options, rate: float | None) -> str:
    """The forecast in a dozen lines."""
    lengths = np.concatenate([*forecast.lengths, np.zeros(0, np.int32)])
    tokens, sentences = int(lengths.sum()), len(lengths)
    rejected = sum(forecast.rejected.values())
    rows = [
        ("files", f"{forecast.files:,} in {forecast.blocks:,} blocks"),
        ("lines", f"{forecast.lines:,} ({forecast.blank:,} blank, {rejected:,} rejected)"),
        *((f"  {reason}", f"{n:,}") for reason, n in sorted(forecast.rejected.items())),
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
        rows.append(("tokens a sentence", ", ".join(shown)))
        limit = f"--max_tokens {suggested_max_tokens(lengths)}"
        rows.append(("suggested", f"{limit} --long_sentences split (keeps 99.9% whole)"))
    size = forecast.text_bytes + output_bytes(settings, options, tokens, sentences)
    rows.append(("output", f"about {size / 1e6:,.0f} MB"))
    if rate is not None:
        rows.append(("time", f"{duration(tokens / rate)} at {rate:,.0f} tokens/s, and start-up"))
    else:
        rows.append(("time", "give --rate TOKENS_A_SECOND to know"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def suggested_max_tokens(lengths: np.ndarray) -> int:
    """A round limit that keeps 99.9% of the sentences whole, at most the default."""
    longest = covering_length(lengths, 99.9)
    return min(int(np.ceil(longest / 10) * 10), DEFAULTS.max_tokens)


def output_bytes(settings: Settings, options: Options, tokens: int, sentences: int) -> int:
    """About what the vectors take in the parts."""
    size = {"float32": 4, "float16": 2}[settings.dtype]
    packed = PACKED if settings.format == "parquet" else 1.0
    floats = sum(
        output_dim(options, name) * (sentences if name == SENTENCE_OUTPUT else tokens)
        for name in settings.outputs
    )
    return int(floats * size * packed)
