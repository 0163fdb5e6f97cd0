"""What must hold after the jobs that are made to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
from faults.runs import LOG, RunCheck, rows_of
from faults.shards import SHARDS, Shard
from faults.stand_ins import plain_vectors

MODEL_FILES = {"vocab.txt", "softmax.hdf5", "weights.hdf5", "options.json", "training.json"}
# folder, the same after an undisturbed command, whether the command has returned 0 → what is wrong
Check = Callable[[Path, Path, bool], Iterator[str]]


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
    if page.exists() and _undated(page) != _undated(reference / "out" / "report.html"):
        yield "report.html is another page"
    if done and not page.exists():
        yield "report.html is missing"


def _undated(page: Path) -> bytes:
    """A page without the times on it, of which one is when it was written."""
    return re.sub(rb"<time.*?</time>", b"", page.read_bytes())


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
