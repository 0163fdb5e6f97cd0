"""How fast elmo-beam is on your machine and text, and how much memory it takes.

    python scripts/benchmark.py shards/*.txt.gz --json figures.json

It takes about 80 minutes on two cores; --only chooses the parts to run. TEXT_FILE: plain or gzip,
in English; all sizes need 100 MB of it. --peers adds simple_elmo, if it and tf_keras are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

import benchmark_job as jobs

from elmo_beam.elmo.errors import ArgumentError, UserError, cause_of
from elmo_beam.elmo.process import claim_process
from elmo_beam.elmo.processor import processor_flags, processor_name
from elmo_beam.pipeline.terminal.flag_types import Parser, count
from elmo_beam.transforms.files.settings import versions

# Here, because the processes that multiprocessing starts import this file, but do not call main.
claim_process()

MB = 1_000_000
PARTS = ("encoders", "default", "google", "repeats", "long", "train", "sizes", "start")
MAX_TOKENS = 100  # per sentence, of those that the encoders are compared on
GOOGLE_BLOCK = 64 << 10
LONG = 1000  # residues


def main() -> None:
    """Run the parts, print a table for each, and write all figures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave no process behind
    try:
        _run(_flags())
    except (UserError, KeyboardInterrupt) as error:
        print(f"benchmark: {cause_of(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ArgumentError) else 1)


def _flags() -> argparse.Namespace:
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=_file, nargs="+", metavar="TEXT_FILE")
    parser.add_argument(
        "--sentences", type=count, default=2048, help="to compare the encoders on (2048)"
    )
    parser.add_argument(
        "--runs",
        type=count,
        default=5,
        help="of each measurement, for a median (5); 100 MB, repeats and peers run once",
    )
    parser.add_argument("--questions", type=_file, help="a list of questions, for part `repeats`")
    parser.add_argument(
        "--only", type=_parts, default=PARTS, metavar="PARTS", help=f"some of {','.join(PARTS)}"
    )
    parser.add_argument("--peers", action="store_true", help="simple_elmo too, if installed")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    for peer in ("simple_elmo", "tf_keras") if args.peers else ():
        if importlib.util.find_spec(peer) is None:
            parser.error(f"--peers: {peer} is not installed (pip install simple_elmo tf_keras)")
    return args


def _file(text: str) -> Path:
    path = Path(text)
    try:
        path.open("rb").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {cause_of(error)}") from None
    return path


def _parts(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(PARTS)}")
    return names


def _run(args: argparse.Namespace) -> None:
    figures: dict[str, Any] = {
        "machine": _machine(),
        "versions": versions(),
        "begun": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "flags": {name: str(value) for name, value in vars(args).items() if name != "files"},
    }
    print(figures["machine"])
    _write(args.json, figures)
    with tempfile.TemporaryDirectory() as folder:
        for part in [*args.only, *(["peers"] if args.peers else [])]:
            figures[part] = RUN[part](args, Path(folder))
            _write(args.json, figures)


def _write(path: Path | None, figures: dict[str, Any]) -> None:
    if path:
        try:
            path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--json {path}: {cause_of(error)}") from None


def _machine() -> str:
    flags = processor_flags()
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return (
        f"{os.cpu_count()} cores of {processor_name()} ({', '.join(sets)}), Python "
        f"{platform.python_version()}"
    )


def read_sentences(files: list[Path], number: int, work: Path) -> list[list[str]]:
    """The first sentences of some text, tokenized, without those over MAX_TOKENS."""
    from elmo_beam.transforms.files.settings import Settings
    from elmo_beam.transforms.text.reader import TextReader

    text = jobs.text_of(files, 1000 * number, work)
    reader = TextReader(Settings(split_sentences=True))
    found: list[list[str]] = []
    for line in text.read_text(encoding="utf-8", errors="replace").splitlines():
        found += [s.tokens for s in reader.sentences(line) if len(s.tokens) <= MAX_TOKENS]
    if not found:
        raise UserError(f"no sentence of at most {MAX_TOKENS} tokens: give English prose")
    return found[:number]


def _encoders(args: argparse.Namespace, work: Path) -> Any:
    import benchmark_encoders

    sentences = read_sentences(args.files, args.sentences, work)
    found = benchmark_encoders.compare(sentences, args.runs, work)
    print(benchmark_encoders.table(found))
    return found


def _default(args: argparse.Namespace, work: Path) -> Any:
    text = jobs.text_of(args.files, 4 * MB, work)
    found = jobs.against_encoder(text, "default", args.runs, work)
    return _job_line("default model", found)


def _google(args: argparse.Namespace, work: Path) -> Any:
    from random_model import SIZES, random_weights

    from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm

    write_bilm(random_weights(SIZES["google"], seed=1), work / "google")
    text = jobs.text_of(args.files, 4 * GOOGLE_BLOCK, work)
    found = jobs.against_encoder(text, str(work / "google"), args.runs, work, GOOGLE_BLOCK)
    return _job_line("google/elmo's size", found)


def _job_line(name: str, found: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{name}: encoder alone {found['encoder']:,.0f} tokens/s, whole job {found['job']:,.0f}, "
        f"{found['ratio']:.0%} (median of {len(found['pairs'])} pairs)"
    )
    return found


def _repeats(args: argparse.Namespace, work: Path) -> Any:
    books = jobs.text_of(args.files, 2 * MB, work)
    texts = {"books": books, "log": jobs.log_of(2 * MB, work / "log.txt")}
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


def _long(args: argparse.Namespace, work: Path) -> Any:
    import benchmark_long

    found = benchmark_long.compare(LONG, args.runs)
    print(benchmark_long.table(found))
    return found


def _train(args: argparse.Namespace, work: Path) -> Any:
    import benchmark_encoders
    import benchmark_train

    sentences = read_sentences(args.files, 2 * args.sentences, work)
    products = benchmark_encoders.product_rate("float32")
    found = benchmark_train.measure(sentences, products, args.runs)
    print(benchmark_train.line(found))
    return found


def _sizes(args: argparse.Namespace, work: Path) -> Any:
    found: dict[str, Any] = {}
    for size in (1, 10, 100):
        try:
            text = jobs.text_of(args.files, size * MB, work)
        except jobs.TooShortError as error:
            print(error)
            break
        some = [jobs.job(text, "default", work) for _ in range(1 if size == 100 else args.runs)]
        found[str(size)] = {name: median(one[name] for one in some) for name in some[0]}
        own = found[str(size)]
        print(
            f"{size} MB: {own['rate']:,.0f} tokens/s (first tenth {own['first tenth']:,.0f}, "
            f"last tenth {own['last tenth']:,.0f}), peak memory {own['memory']:.2f} GB "
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

    os.environ["TF_USE_LEGACY_KERAS"] = "1"  # simple_elmo's LSTM cells are Keras 2
    from simple_elmo import ElmoModel

    from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm

    write_bilm(random_weights(SIZES["google"], seed=1), work / "peer")
    sentences = read_sentences(args.files, args.sentences, work)
    model = ElmoModel()
    model.load(str(work / "peer"))
    begin = time.perf_counter()
    model.get_elmo_vectors(sentences)
    rate = sum(map(len, sentences)) / (time.perf_counter() - begin)
    print(f"simple_elmo: {rate:,.0f} tokens/s")
    return {"simple_elmo": rate}


RUN = {
    "encoders": _encoders,
    "default": _default,
    "google": _google,
    "repeats": _repeats,
    "long": _long,
    "train": _train,
    "sizes": _sizes,
    "start": _start,
    "peers": _peers,
}

if __name__ == "__main__":
    main()
