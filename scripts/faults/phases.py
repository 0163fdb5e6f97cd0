"""The jobs that are made to fail: what each starts from, what it does, and what must hold after it.

A phase's folder holds in/ and model/, which nothing may touch, out/, and tmp/ for what the system
calls temporary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import pyarrow.parquet as pq
from faults.preload import KILL, Fault
from faults.runs import LOG, RunCheck, rows_of
from faults.shards import BLOCK_SIZE, Shard, shard
from faults.stand_ins import plain_vectors

A, B, C = shard("a.txt", 16), shard("b.jsonl.gz", 8), shard("c.parquet", 8)
SHARDS = (A, B, C)
SMALL = tuple(shard(f"{name}.txt", n) for name, n in zip("abcde", (2, 3, 8, 1, 2), strict=True))
OTHER = shard(SMALL[0].name, 3, "other")
TFRECORD = ("--format=tfrecord", "--outputs=elmo,default", "--max_tokens=9", "--pad_to=9")
MODEL_FILES = {"vocab.txt", "softmax.hdf5", "weights.hdf5", "options.json", "training.json"}
RECIPE = {"batch_tokens": 1000, "n_negative_samples_batch": 8, "n_tokens_vocab": 40}


class Runs(Protocol):
    """Runs a command line, with a fault if one is given."""

    def __call__(self, command: list[str], fault: Fault | None = None) -> object: ...


Prepare = Callable[[Path, Runs], None]
# folder, the same after an undisturbed command, whether the command has returned 0 → what is wrong
Check = Callable[[Path, Path, bool], Iterator[str]]


@dataclass(frozen=True)
class Phase:
    """prepare: makes what is there before the command, in a folder that has a model.

    command: its arguments in such a folder. untouched: globs of files that it must leave as they
    are. run: whether `verify` can judge the result. tensorflow: whether the command needs it.
    """

    prepare: Prepare
    command: Callable[[Path], list[str]]
    check: Check
    untouched: tuple[str, ...] = ()
    run: bool = True
    tensorflow: bool = False


def embed(*flags: str) -> Callable[[Path], list[str]]:
    """`embed` on everything in a folder's in/."""

    def command(folder: Path) -> list[str]:
        words = ["embed", "--input", f"{folder}/in/*", "--output", f"{folder}/out"]
        words += ["--model", f"{folder}/model", "--block_size", str(BLOCK_SIZE)]
        return [*words, "--tokenizer", "whitespace", *flags]

    return command


def fresh(folder: Path, run: Runs) -> None:
    """Three files, and nothing done."""
    for each in SHARDS:
        each.write(folder / "in")


def continued(folder: Path, run: Runs) -> None:
    """The command was killed half way."""
    fresh(folder, run)
    run(embed()(folder), Fault("rename out/blocks/*", 4, KILL))


def complete(folder: Path, run: Runs) -> None:
    """Everything is done."""
    fresh(folder, run)
    run(embed()(folder))


def changed(folder: Path, run: Runs) -> None:
    """Everything was done, but one file has another content now."""
    complete(folder, run)
    shard("a.txt", 14, "other").write(folder / "in")


def replaced(folder: Path, run: Runs) -> None:
    """One file was damaged, and is whole now."""
    fresh(folder, run)
    damaged = folder / "in" / B.name
    damaged.write_bytes(damaged.read_bytes()[:-9])
    run(embed()(folder))
    B.write(folder / "in")


def added(folder: Path, run: Runs) -> None:
    """Two files are done, and there is a third now."""
    for each in (A, B):
        each.write(folder / "in")
    run(embed()(folder))
    C.write(folder / "in")


def packed(folder: Path, run: Runs) -> None:
    """Five small files, and nothing done."""
    for each in SMALL:
        each.write(folder / "in")


def pack_changed(folder: Path, run: Runs) -> None:
    """Small files were done, but one has another content now, and one is new."""
    for each in SMALL[:-1]:
        each.write(folder / "in")
    run(embed()(folder))
    OTHER.write(folder / "in")
    SMALL[-1].write(folder / "in")


def with_notes(folder: Path, run: Runs) -> None:
    """Everything is done, and there is a file that is not ours."""
    complete(folder, run)
    (folder / "out" / "notes.txt").write_text("mine\n")


def sentences(folder: Path, run: Runs) -> None:
    """A file of sentences, and an older file of vectors."""
    lines = [line for line in A.lines if line]
    Shard("a.txt", tuple(lines)).write(folder / "in")
    (folder / "out").mkdir()
    (folder / "out" / "vectors.hdf5").write_text("older\n")


def learnable(folder: Path, run: Runs) -> None:
    """Text to train on, and a small recipe."""
    lines = [" ".join(f"w{(i * j) % 30}" for j in range(3, 9)) + f" {i}" for i in range(400)]
    Shard("a.txt", tuple(lines)).write(folder / "in")
    options = json.loads((folder / "model" / "options.json").read_text())
    (folder / "in" / "options.json").write_text(json.dumps({**options, **RECIPE}))


def check_run(*before: Shard, now: tuple[Shard, ...] = SHARDS, foreign: str = "") -> Check:
    """A run over `now`; before: what some of the files held before."""

    def check(folder: Path, reference: Path, done: bool) -> Iterator[str]:
        versions = {
            str(folder / "in" / each.name): [*(b for b in before if b.name == each.name), each]
            for each in now
        }
        return RunCheck(folder / "out", versions, plain_vectors, (foreign,)).wrong(done)

    return check


def check_real_run(folder: Path, reference: Path, done: bool) -> Iterator[str]:
    """A run with the model itself, whose vectors the undisturbed run knows."""
    parts = sorted((reference / "out" / "parts").iterdir())
    known = {tuple(row[2]): row[3] for part in parts for row in rows_of(part)}
    versions = {str(folder / "in" / each.name): [each] for each in SHARDS}

    def vectors(tokens: Sequence[str], name: str, dim: int) -> np.ndarray:
        return known[tuple(tokens)][name]

    return RunCheck(folder / "out", versions, vectors).wrong(done)


def check_pooled(folder: Path, reference: Path, done: bool) -> Iterator[str]:
    """Files whole or absent; once the run is complete, those of an undisturbed one."""
    out, right = folder / "out", reference / "out"
    yield from half_written(out)
    words = out / "words.parquet"
    if words.exists() and words.read_bytes() != (right / words.name).read_bytes():
        yield "words.parquet has other words"
    if (out / "_SUCCESS").exists() and not words.exists():
        yield "_SUCCESS, but no words.parquet"
    if done:
        own, undisturbed = (
            {str(p.relative_to(top)) for p in top.rglob("*") if p.is_file() and p.name != LOG}
            for top in (out, right)
        )
        yield from (f"missing or left behind: {name}" for name in own ^ undisturbed)


def check_report(folder: Path, reference: Path, done: bool) -> Iterator[str]:
    """The page is the undisturbed one or absent, and the run is still complete."""
    # An unfinished page is removed by the next `embed`: one may be writing to the folder now.
    run = check_run(foreign="report.html")(folder, reference, done)
    yield from (wrong for wrong in run if not wrong.startswith("left behind: .tmp/"))
    page = folder / "out" / "report.html"
    if page.exists() and page.read_bytes() != (reference / "out" / "report.html").read_bytes():
        yield "report.html is another page"
    if done and not page.exists():
        yield "report.html is missing"


def check_hdf5(folder: Path, reference: Path, done: bool) -> Iterator[str]:
    """The older file or the new one, whole, and nothing else."""
    file = folder / "out" / "vectors.hdf5"
    if not file.exists():
        yield "vectors.hdf5 is gone"
    elif done or file.read_bytes() != b"older\n":
        try:
            own, right = _datasets(file), _datasets(reference / "out" / "vectors.hdf5")
            same = [np.array_equal(own.get(name, ()), array) for name, array in right.items()]
            if own.keys() != right.keys() or not all(same):
                yield "vectors.hdf5 has other vectors"
        except OSError as error:
            yield f"vectors.hdf5 is half written ({error})"
    if done:
        log = f"{file.name}.{LOG}"
        names = {path.name for path in file.parent.iterdir()} - {file.name, log}
        yield from (f"left behind: {name}" for name in names)


def _datasets(path: Path) -> dict[str, np.ndarray]:
    """Every array of an HDF5 file."""
    arrays: dict[str, np.ndarray] = {}

    def add(name: str, found: h5py.Dataset | h5py.Group) -> None:
        if isinstance(found, h5py.Dataset):
            arrays[name] = found[()]

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return arrays


def half_written(out: Path) -> Iterator[str]:
    """The files in a folder that cannot be read."""
    paths = [path for path in out.rglob("*") if path.is_file() and ".tmp" not in path.parts]
    for path in paths:
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".parquet":
                pq.read_table(path, page_checksum_verification=True, partitioning=None)
            elif path.suffix == ".hdf5":
                h5py.File(path, "r").close()
            elif path.suffix == ".npz":
                dict(np.load(path))
        except Exception as error:  # each reader raises its own
            yield f"half written: {path.relative_to(out)} ({error})"


def check_training(folder: Path, reference: Path, done: bool) -> Iterator[str]:
    """Files whole or absent, and at the end the model of an undisturbed training."""
    out, right = folder / "out", reference / "out"
    yield from half_written(out)
    if not done:
        return
    names = {str(path.relative_to(out)) for path in out.rglob("*")}
    yield from (f"missing: {name}" for name in MODEL_FILES - names)
    yield from (f"left behind: {name}" for name in names if ".tmp/" in name)
    if names >= MODEL_FILES:
        if (out / "vocab.txt").read_bytes() != (right / "vocab.txt").read_bytes():
            yield "another vocabulary"
        own, undisturbed = _datasets(out / "weights.hdf5"), _datasets(right / "weights.hdf5")
        for name, array in undisturbed.items():
            if np.abs(own[name] - array).max() > 1e-4:
                yield f"weights {name} are not those of an undisturbed training"


def command_of(name: str, *flags: str) -> Callable[[Path], list[str]]:
    """A command whose arguments are paths below the folder, or flags."""
    return lambda folder: [name, *(flag.format(folder) for flag in flags)]


TRAIN = ("--input", "{}/in/a.txt", "--output", "{}/out", "--options", "{}/in/options.json")
CHANGED = (A, shard("a.txt", 14, "other"))
PACK_CHANGED = check_run(SMALL[0], Shard(SMALL[-1].name, ()), now=(OTHER, *SMALL[1:]))
PHASES = {
    "fresh": Phase(fresh, embed(), check_run()),
    "continued": Phase(continued, embed(), check_run(), ("out/blocks/*",)),
    "changed": Phase(changed, embed(), check_run(A, now=(CHANGED[1], B, C)), ("out/blocks/[bc]*",)),
    "replaced": Phase(replaced, embed(), check_run(), ("out/blocks/*",)),
    "added": Phase(added, embed(), check_run(Shard(C.name, ())), ("out/blocks/*",)),
    "packed": Phase(packed, embed(), check_run(now=SMALL)),
    "pack-changed": Phase(pack_changed, embed(), PACK_CHANGED),
    "overwrite": Phase(
        with_notes, embed("--overwrite"), check_run(foreign="notes.txt"), ("out/notes.txt",)
    ),
    "tfrecord": Phase(fresh, embed(*TFRECORD), check_run(), tensorflow=True),
    "pooled": Phase(fresh, embed("--pool=word", "--top_words=5"), check_pooled),
    "elmo": Phase(
        sentences,
        command_of(
            "elmo", "{}/in/a.txt", "{}/out/vectors.hdf5", "--all",
            "--options-file", "{}/model/options.json", "--weight-file", "{}/model/weights.hdf5",
        ),
        check_hdf5,
        run=False,
    ),
    "report": Phase(complete, command_of("report", "{}/out"), check_report, ("out/*/*",)),
    "train": Phase(
        learnable, command_of("train", *TRAIN, "--epochs", "1"), check_training,
        run=False, tensorflow=True,
    ),
    "model": Phase(fresh, embed(), check_real_run, tensorflow=True),
}  # fmt: skip
