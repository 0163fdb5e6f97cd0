"""Every figure of README's section on speed, from one run on your text.

    python scripts/benchmark.py shards/*.txt.gz --json figures.json

Some 80 minutes on two cores; --only names the parts to run. TEXT_FILE: plain or gzip, in English;
100 MB of it for all sizes. --peers adds simple_elmo, if you have installed it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import benchmark_job as jobs

MB = 1_000_000
PARTS = ("engines", "default", "google", "repeats", "sizes", "start", "peers")
MAX_TOKENS = 100  # of the sentences that engines are compared on
GOOGLE_BLOCK = 64 << 10


def main() -> None:
    """Run the parts, print a table each, and write all figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="TEXT_FILE")
    parser.add_argument("--sentences", type=int, default=2048, help="to compare engines on (2048)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts (5)")
    parser.add_argument("--questions", type=Path, help="a list of questions, for the part repeats")
    parser.add_argument("--only", default=",".join(PARTS[:-1]), help="parts, parted by commas")
    parser.add_argument("--peers", action="store_true", help="simple_elmo too, which you installed")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    chosen = [*args.only.split(","), *(["peers"] if args.peers else [])]
    figures: dict[str, Any] = {"machine": _machine()}
    print(figures["machine"])
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen:
            figures[part] = RUN[part](args, Path(folder))
            if args.json:
                args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _machine() -> str:
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} cores of {names[0]}, Python {platform.python_version()}"


def read_sentences(files: list[Path], count: int, work: Path) -> list[list[str]]:
    """The first sentences of some text, tokenized, less those over MAX_TOKENS."""
    from transforms.settings import Settings
    from transforms.text import TextReader

    text = jobs.text_of(files, 1000 * count, work / "sentences.txt")
    if text is None:
        sys.exit(f"less than {count} kB of text: give more files, or fewer --sentences")
    reader = TextReader(Settings(digest="", split_sentences=True))
    found: list[list[str]] = []
    for line in text.read_text(encoding="utf-8").splitlines():
        found += [s.tokens for s in reader.sentences(line) if len(s.tokens) <= MAX_TOKENS]
    return found[:count]


def _engines(args: argparse.Namespace, work: Path) -> Any:
    import benchmark_engines

    sentences = read_sentences(args.files, args.sentences, work)
    found = benchmark_engines.compare(sentences, args.runs, work)
    print(benchmark_engines.table(found))
    return found


def _text(args: argparse.Namespace, size: int, work: Path) -> Path:
    text = jobs.text_of(args.files, size, work / "text.txt")
    if text is None:
        sys.exit(
            f"less than {size / MB:g} MB of text: give more files, or leave parts out by --only"
        )
    return text


def _default(args: argparse.Namespace, work: Path) -> Any:
    found = jobs.against_encoder(_text(args, 4 * MB, work), "default", args.runs, work)
    return _job_line("default model", found)


def _google(args: argparse.Namespace, work: Path) -> Any:
    from random_model import SIZES, random_weights

    from elmo.published import write_published

    write_published(random_weights(SIZES["google"], seed=1), work / "google")
    text = _text(args, 4 * GOOGLE_BLOCK, work)
    found = jobs.against_encoder(text, str(work / "google"), args.runs, work, GOOGLE_BLOCK)
    return _job_line("google/elmo's size", found)


def _job_line(name: str, found: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{name}: encoder alone {found['encoder']:,.0f} tokens/s, whole job {found['job']:,.0f}, "
        f"{found['ratio']:.0%} (median of {len(found['pairs'])} pairs)"
    )
    return found


def _repeats(args: argparse.Namespace, work: Path) -> Any:
    texts = {"books": _text(args, 2 * MB, work), "log": jobs.log_of(2 * MB, work / "log.txt")}
    if args.questions:
        texts["questions"] = args.questions
    found = {}
    for name, text in texts.items():
        found[name] = jobs.encoder_alone(text, "default", 64 << 10)
        print(
            f"{name}: the tree saves {found[name]['shared']:.1%} of the LSTM steps; "
            f"{found[name]['rate']:,.0f} tokens/s"
        )
    return found


def _sizes(args: argparse.Namespace, work: Path) -> Any:
    found: dict[str, Any] = {}
    for size in (1, 10, 100):
        text = jobs.text_of(args.files, size * MB, work / "text.txt")
        if text is None:
            print(f"{size} MB: there is less text than that")
            break
        some = [jobs.job(text, "default", work) for _ in range(1 if size == 100 else args.runs)]
        found[str(size)] = {name: median(one[name] for one in some) for name in some[0]}
        own = found[str(size)]
        print(
            f"{size} MB: {own['rate']:,.0f} tokens/s ({own['first tenth']:,.0f} at first, "
            f"{own['last tenth']:,.0f} at last), peak memory {own['memory']:.2f} GB "
            f"(median of {len(some)})"
        )
    return found


def _start(args: argparse.Namespace, work: Path) -> Any:
    found = jobs.start(args.runs, work)
    print(
        f"--help in {found['help']:.2f} s, first part file of the sample after "
        f"{found['first part']:.1f} s (medians of {args.runs})"
    )
    return found


def _peers(args: argparse.Namespace, work: Path) -> Any:
    import time

    from random_model import SIZES, random_weights
    from simple_elmo import ElmoModel

    from elmo.published import write_published

    write_published(random_weights(SIZES["google"], seed=1), work / "peer")
    sentences = read_sentences(args.files, args.sentences, work)
    model = ElmoModel()
    model.load(str(work / "peer"))
    begin = time.perf_counter()
    model.get_elmo_vectors(sentences)
    rate = sum(map(len, sentences)) / (time.perf_counter() - begin)
    print(f"simple_elmo: {rate:,.0f} tokens/s")
    return {"simple_elmo": rate}


RUN = {
    "engines": _engines,
    "default": _default,
    "google": _google,
    "repeats": _repeats,
    "sizes": _sizes,
    "start": _start,
    "peers": _peers,
}

if __name__ == "__main__":
    main()
