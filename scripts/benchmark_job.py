"""The whole job, as the command runs it, against the encoder alone; its memory; its start."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from elmo_beam.elmo.errors import UserError, cause_of

BIN = Path(sys.executable).parent
OUTPUTS = ["default"]


class TooShortError(UserError):
    """There is less text than a part takes."""


def text_of(files: list[Path], size: int, work: Path) -> Path:
    """The first `size` bytes of whole lines of some text files, as one file in `work`."""
    path = work / "text.txt"
    with open(path, "wb") as out:
        for file in files:
            try:
                with gzip.open(file) if file.suffix == ".gz" else open(file, "rb") as lines:
                    for line in lines:
                        out.write(line)
                        if out.tell() >= size:
                            return path
            except (OSError, EOFError, zlib.error) as error:
                raise UserError(
                    f"{file}: {cause_of(error)}: give a file that can be read"
                ) from None
        raise TooShortError(
            f"{out.tell() / 1e6:.2g} MB of text where {size / 1e6:.2g} are wanted: give more "
            "files, fewer --sentences, or leave parts out by --only"
        )


def log_of(size: int, path: Path) -> Path:
    """A log as services write it: few kinds of lines, numbers in them."""
    rng = random.Random(1)

    def lines() -> Iterator[str]:
        while True:
            yield rng.choice(
                (
                    f"INFO worker {rng.randrange(8)} : request took {rng.randrange(900)} ms .\n",
                    f"INFO cache : {rng.randrange(100)} percent of the lookups were found .\n",
                    f"WARN disk {rng.randrange(4)} : less than {rng.randrange(20)} GB are free .\n",
                    "INFO health check : all services are up .\n",
                )
            )

    with open(path, "w", encoding="utf-8") as out:
        for line in lines():
            out.write(line)
            if out.tell() >= size:
                return path
    raise AssertionError("the lines do not end")


def _output_of(command: list[object], **environment: str) -> str:
    """What a command says; UserError with its last line where it fails."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**environment, **os.environ}
    )
    if done.returncode:
        raise UserError(
            f"{command[0]} failed: {(done.stderr.splitlines() or [f'rc {done.returncode}'])[-1]}"
        )
    return done.stdout


def job(text: Path, model: str, work: Path, *flags: str) -> dict[str, float]:
    """Tokens/s of a whole job, of its first and last tenth too, and its peak memory in GB.

    Start-up is left out: it is what comes before the first block is done.
    """
    out = work / "job"
    command = [
        BIN / "elmo-beam", "embed", "--input", text, "--output", out, "--overwrite",
        "--model", model, "--split_sentences", "--outputs", "default", *flags,
    ]  # fmt: skip
    _output_of(command)
    blocks = sorted((out / "blocks").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    tokens = [json.loads(path.read_text())["tokens"] for path in blocks]
    done = [path.stat().st_mtime for path in blocks]
    last, tenth = len(blocks) - 1, max(len(blocks) // 10, 1)

    def rate(begin: int, end: int) -> float:
        return float(sum(tokens[begin + 1 : end + 1]) / (done[end] - done[begin]))

    figures = json.loads((out / "manifest.json").read_text())["figures"]
    return {
        "rate": rate(0, last),
        "first tenth": rate(0, tenth),
        "last tenth": rate(last - tenth, last),
        "memory": figures["peak_memory_bytes"] / 1e9,
    }


def encoder_alone(
    text: Path, model: str, block_size: int, precision: str = "float32"
) -> dict[str, float]:
    """Tokens/s of the encoder over the same blocks but the first; the part of steps it saves.

    In a process of its own, as a job is, with the threads that a job has. A text of one block is
    its first and last.
    """
    from elmo_beam.pipeline.job.run import encoder_threads

    command = [sys.executable, __file__, text, model, block_size, precision]
    done = _output_of(command, TF_NUM_INTRAOP_THREADS=encoder_threads(1))
    found: dict[str, float] = json.loads(done)
    return found


def _encode(path: str, model: str, block_size: str, precision: str) -> None:
    from elmo_beam.elmo.encoder.encoder import DEFAULT_MEMORY
    from elmo_beam.elmo.formats.handles import load_engine
    from elmo_beam.transforms.accounts import BlockKey
    from elmo_beam.transforms.embed import sentences_of
    from elmo_beam.transforms.normalize import normalize_block
    from elmo_beam.transforms.plan import make_plan
    from elmo_beam.transforms.read import RawBlock, read_blocks
    from elmo_beam.transforms.files.settings import Settings
    from elmo_beam.transforms.text import TextReader

    settings = Settings(digest="", split_sentences=True, block_size=int(block_size))
    plan, reader, blocks = make_plan(path, settings), TextReader(settings), []
    for block, table in zip(
        plan.blocks, read_blocks(plan.shard, plan.blocks, settings), strict=True
    ):
        raw = RawBlock(BlockKey(path, "", block), "text", table)
        blocks.append(sentences_of(normalize_block(raw, reader, settings).sentences))
    if not any(map(len, blocks)):
        sys.exit(f"{path}: no sentence in it")
    engine = load_engine(model, "native", DEFAULT_MEMORY, precision=precision)
    for _ in engine.batches(blocks[0], OUTPUTS):  # compiles
        pass
    steps = nodes = 0
    begin = time.perf_counter()
    for own in blocks[1:] or blocks:
        for encoded in engine.batches(own, OUTPUTS):
            steps, nodes = steps + encoded.steps, nodes + encoded.nodes
    seconds = time.perf_counter() - begin
    print(json.dumps({"rate": steps / 2 / seconds, "shared": 1 - nodes / steps}))


def against_encoder(
    text: Path,
    model: str,
    runs: int,
    work: Path,
    block_size: int = 256 << 10,
    precision: str = "float32",
) -> dict[str, Any]:
    """Both in turn, run by run."""
    flags = ("--block_size", str(block_size), "--precision", precision)
    pairs = [
        (
            encoder_alone(text, model, block_size, precision)["rate"],
            job(text, model, work, *flags)["rate"],
        )
        for _ in range(runs)
    ]
    return {
        "encoder": median(alone for alone, _ in pairs),
        "job": median(whole for _, whole in pairs),
        "ratio": median(whole / alone for alone, whole in pairs),
        "pairs": pairs,
    }


def start(runs: int, work: Path) -> dict[str, float]:
    """Seconds to `--help`, and to the first part file of the sample."""
    sample = Path(__file__).parent / "sample"
    helps, firsts = [], []
    for _ in range(runs):
        begin = time.perf_counter()
        _output_of([BIN / "elmo-beam", "--help"])
        helps.append(time.perf_counter() - begin)
        out = work / "start"
        command = [
            BIN / "elmo-beam",
            "embed",
            "--input",
            sample / "*",
            "--output",
            out,
            "--overwrite",
        ]
        begin = time.time()
        _output_of(command)
        firsts.append(min(os.stat(path).st_mtime for path in (out / "parts").iterdir()) - begin)
    return {"help": median(helps), "first part": median(firsts)}


if __name__ == "__main__":
    _encode(*sys.argv[1:])
