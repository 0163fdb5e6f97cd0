"""Time the native encoder against a TF-Hub ELMo module of the same weights, on real text.

Both run in this process, one after the other, on the same sentences in the order they come. The
native encoder goes first, so that the peak of memory read after it is its own, and is let go before
the module is loaded. The module runs as its users run it: the `default` signature on batches of
texts, all batch sizes on the same first sentences. Time includes what each side needs to turn lists
of tokens into its input, and excludes loading and a first call that compiles. Rates are of real
tokens: padding does not count.

    python scripts/compare_engines.py MODEL_DIR TEXT_FILE [--sentences 2048] [--batches 32,64,128]

MODEL_DIR is what scripts/random_model.py wrote.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from elmo.backend import silent_stderr, tf
from elmo.encoder import DEFAULT_MEMORY
from elmo.models import Engine, load_engine
from elmo.sentences import Sentences

LANGUAGE = "en"
MAX_TOKENS = 100
WARM_RUNS = 3
TOLERANCE = 1e-4
UNSEEN = "\ue000"  # private use: a token that no text holds, so that the cache stays cold
FIGURES = ("seconds", "cores", "tokens/s", "ratio")
ROW = "{:<22}{:>7}{:>11}{:>9}{:>7}{:>10}{:>8}{:>12}"


def read_sentences(path: Path, count: int) -> list[list[str]]:
    """The first `count` sentences of a text file, tokenized; those over MAX_TOKENS are left out."""
    sentences = []
    for tokens in _tokenized(path):
        if 0 < len(tokens) <= MAX_TOKENS:
            sentences.append(tokens)
        if len(sentences) == count:
            return sentences
    raise SystemExit(f"{path} has {len(sentences)} sentences: ask for fewer with --sentences")


def _tokenized(path: Path) -> Iterator[list[str]]:
    import sentencex
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(LANGUAGE)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            for sentence in sentencex.segment(LANGUAGE, line.strip()):
                yield tokenizer.tokenize(sentence, escape=False)


def run_native(
    engine: Engine, sentences: list[list[str]], keep: int
) -> tuple[np.ndarray, np.ndarray]:
    """Time for `elmo` of all sentences, and the vectors of the first `keep` tokens.

    As in a job, the vectors of one pass are gone before the next, but for those kept to compare.
    """
    kept, done = [], 0
    begin = _clocks()
    for encoded in engine.batches(Sentences.from_lists(sentences), ["elmo"]):
        vectors = encoded.vectors["elmo"]
        if done < keep:
            kept.append(vectors[: keep - done].copy())
        done += len(vectors)
    return _clocks() - begin, np.concatenate(kept)


def _clocks() -> np.ndarray:
    """Two clocks in seconds, the wall's and the process's on all cores."""
    return np.array([time.perf_counter(), time.process_time()])


def load_module(folder: Path) -> Any:
    """The module, as tensorflow_hub gives it to anyone."""
    with silent_stderr():
        import tensorflow_hub

        return tensorflow_hub.load(str(folder))


def run_module(
    signature: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    sentences: list[list[str]],
    batch: int,
    expected: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Time for `elmo` of all sentences, and the largest difference from `expected`."""
    signature(_texts(sentences[:batch]))
    spent, worst, done = np.zeros(2), 0.0, 0
    for start in range(0, len(sentences), batch):
        rows = sentences[start : start + batch]
        begin = _clocks()
        elmo = signature(_texts(rows))["elmo"].numpy()
        spent += _clocks() - begin
        lengths = np.array([len(row) for row in rows])
        real = elmo[np.arange(elmo.shape[1]) < lengths[:, np.newaxis]]
        worst = max(worst, float(np.abs(real - expected[done : done + len(real)]).max()))
        done += len(real)
    return spent, worst


def _texts(sentences: list[list[str]]) -> tf.Tensor:
    return tf.constant([" ".join(tokens) for tokens in sentences])


def peak_memory() -> float:
    """The process's largest resident size so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def compare(folder: Path, sentences: list[list[str]], sample: int, batches: list[int]) -> float:
    """Run both, print the table, and return the largest difference."""
    tokens, sample_tokens = (sum(map(len, part)) for part in (sentences, sentences[:sample]))
    print(
        f"{len(sentences)} sentences, {tokens} tokens; "
        f"the module's are the first {sample}, {sample_tokens} tokens"
    )
    engine = load_engine(str(folder / "published"), "native", DEFAULT_MEMORY)
    run_native(engine, [[UNSEEN]], 1)
    cold, expected = run_native(engine, sentences, sample_tokens)
    warm = [run_native(engine, sentences, sample_tokens)[0] for _ in range(WARM_RUNS)]
    del engine
    gc.collect()
    native_memory = peak_memory()

    module = load_module(folder / "module")
    signature = module.signatures["default"]
    runs = {b: run_module(signature, sentences[:sample], b, expected) for b in batches}
    best = sample_tokens / min(spent[0] for spent, _ in runs.values())

    print(ROW.format("engine", "batch", "sentences", *FIGURES, "difference"))
    by_time = sorted(warm, key=lambda spent: spent[0])
    for name, spent in (
        ("native, cold cache", cold),
        (f"native, median of {WARM_RUNS}", by_time[WARM_RUNS // 2]),
    ):
        print(ROW.format(name, "", len(sentences), *_figures(spent, tokens, best), ""))
    for batch, (spent, worst) in runs.items():
        figures = _figures(spent, sample_tokens, best)
        print(ROW.format("module", batch, sample, *figures, f"{worst:.1e}"))
    print("warm runs: " + ", ".join(f"{tokens / spent[0]:.0f}" for spent in warm) + " tokens/s")
    print("cores: those a run had, fewer where others use the machine; ratio: to the module's best")
    print("difference: largest in elmo, module from native")
    print(f"peak memory: {native_memory:.2f} GiB after native, {peak_memory():.2f} GiB at the end")
    return max(worst for _, worst in runs.values())


def _figures(spent: np.ndarray, tokens: int, best: float) -> tuple[str, ...]:
    seconds, busy = spent
    rate = tokens / seconds
    return f"{seconds:.1f}", f"{busy / seconds:.2f}", f"{rate:.0f}", f"{rate / best:.2f}"


def main() -> int:
    """Return 1 where the two disagree: a rate for other vectors would mean nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR")
    parser.add_argument("text_file", type=Path, metavar="TEXT_FILE")
    parser.add_argument("--sentences", type=int, default=2048, help="for the native encoder")
    parser.add_argument("--sample", type=int, default=768, help="of these, for the module")
    parser.add_argument("--batches", default="32,64,128", help="batch sizes of the module")
    arguments = parser.parse_args()
    sentences = read_sentences(arguments.text_file, arguments.sentences)
    sample = min(arguments.sample, len(sentences))
    batches = [int(batch) for batch in arguments.batches.split(",")]
    worst = compare(arguments.model_dir, sentences, sample, batches)
    if worst > TOLERANCE:
        print(f"native and module differ by {worst:.1e}, more than {TOLERANCE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
