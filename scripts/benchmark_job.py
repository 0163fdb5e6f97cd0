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

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.process import claim_process

BIN = Path(sys.executable).parent
OUTPUTS = ["default"]


class TooShortError(UserError):
    """There is less text than a part needs."""


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
            f"{out.tell() / 1e6:.2g} MB of text, but {size / 1e6:.2g} are needed: give more "
            "files, fewer --sentences, or leave parts out with --only"
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
    """What a command prints; UserError with its last line if it fails."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**environment, **os.environ}
    )
    if done.returncode:
        raise UserError(
            f"{command[0]} failed: {(done.stderr.splitlines() or [f'rc {done.returncode}'])[-1]}"
        )
    return done.stdout


def job(text: Path, model: str, work: Path, *flags: str) -> dict[str, float]:
    """Tokens/s of a whole job and of its first and last tenth, and its peak memory in GB.

    Start-up, which is all that comes before the first block is done, is left out.
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
    """Tokens/s of the encoder over the same blocks but the first; the share of steps it saves.

    It runs in a process of its own, as a job does, with as many threads as a job has. If a text has
    one block only, that is measured.
    """
    from elmo_beam.pipeline.job.run import encoder_threads

    command = [sys.executable, __file__, text, model, block_size, precision]
    done = _output_of(command, TF_NUM_INTRAOP_THREADS=encoder_threads(1))
    found: dict[str, float] = json.loads(done)
    return found


def _encode(path: str, model: str, block_size: str, precision: str) -> None:
    from elmo_beam import load_encoder
    from elmo_beam.transforms.corpus import sentence_blocks
    from elmo_beam.transforms.embed import sentences_of
    from elmo_beam.transforms.files.settings import Settings
    from elmo_beam.transforms.text.reader import TextReader

    claim_process()
    settings = Settings(split_sentences=True, block_size=int(block_size))
    read = sentence_blocks(path, settings, TextReader(settings))
    blocks = [sentences_of(block.sentences) for block in read]
    if not any(map(len, blocks)):
        sys.exit(f"{path}: no sentence in it")
    encoder = load_encoder(model, precision=precision)
    for _ in encoder.passes(blocks[0], OUTPUTS):  # compiles
        pass
    steps = nodes = 0
    begin = time.perf_counter()
    for own in blocks[1:] or blocks:
        for encoded in encoder.passes(own, OUTPUTS):
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
    """Rates of the encoder alone and of the whole job, measured in turn."""
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
        files = ("--input", sample / "*", "--output", out)
        command = [BIN / "elmo-beam", "embed", *files, "--overwrite"]
        begin = time.time()
        _output_of(command)
        firsts.append(min(os.stat(path).st_mtime for path in (out / "parts").iterdir()) - begin)
    return {"help": median(helps), "first part": median(firsts)}


if __name__ == "__main__":
    _encode(*sys.argv[1:])
