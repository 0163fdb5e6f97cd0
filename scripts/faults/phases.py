"""The jobs that are made to fail: what each starts from, what it does, and what must hold after it.

A phase's folder holds in/ and model/, which nothing may touch, out/, and tmp/ for what the system
calls temporary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faults.checks import (
    Check,
    check_hdf5,
    check_pooled,
    check_real_run,
    check_report,
    check_run,
    check_training,
)
from faults.preload import KILL, Fault
from faults.shards import BLOCK_SIZE, SHARDS, A, B, C, Shard, shard

SMALL = tuple(shard(f"{name}.txt", n) for name, n in zip("abcde", (2, 3, 8, 1, 2), strict=True))
OTHER = shard(SMALL[0].name, 3, "other")
TFRECORD = ("--format=tfrecord", "--outputs=elmo,default", "--max_tokens=9", "--pad_to=9")
RECIPE = {"batch_tokens": 1000, "n_negative_samples_batch": 8, "n_tokens_vocab": 40}


class Runs(Protocol):
    """Runs a command line, with a fault if one is given."""

    def __call__(self, command: list[str], fault: Fault | None = None) -> object: ...


Prepare = Callable[[Path, Runs], None]


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
        words = ["embed", "--quiet", "--input", f"{folder}/in/*", "--output", f"{folder}/out"]
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
            "elmo", "{}/in/a.txt", "{}/out/vectors.hdf5", "--all", "--quiet",
            "--options-file", "{}/model/options.json", "--weight-file", "{}/model/weights.hdf5",
        ),
        check_hdf5,
        run=False,
    ),
    "report": Phase(complete, command_of("report", "{}/out"), check_report, ("out/*/*",)),
    "train": Phase(
        learnable, command_of("train", "--quiet", *TRAIN, "--epochs", "1"), check_training,
        run=False, tensorflow=True,
    ),
    "model": Phase(fresh, embed(), check_real_run, tensorflow=True),
}  # fmt: skip
