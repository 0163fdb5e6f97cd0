"""Commands that start at once on one folder of an object store: none loses another's data.

    python scripts/races.py --races 50

Each race is of two or three commands, with the same inputs or with different ones, against an S3
server on loopback (moto's). At most one may hold the folder: a command that exits with 0 must leave
its run complete and right, any other must refuse in one line. What is left, the same command
completes. A race that fails is printed with its seed.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from faults.stand_ins import PlainEncoder, PlainPipeline

from elmo_beam.elmo.formats.handles import DEFAULT_MODEL, read_weights
from elmo_beam.pipeline.cli import main as elmo_beam
from elmo_beam.pipeline.job import pipeline_options
from elmo_beam.transforms import steps
from elmo_beam.transforms.files.storage import exists, join, list_names, read_bytes

BUCKET = "store"
KEYS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
LINES = 40  # of each file


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    inputs: tuple[str, ...]
    code: int
    err: str


def main() -> int:
    """Run the races; 1 if one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--races", type=int, default=50, metavar="N", help="of each kind (50)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first race (1)")
    args = parser.parse_args()
    logging.disable()
    os.environ.update(KEYS)
    options = read_weights(DEFAULT_MODEL).options
    steps.load_sentence_encoder = lambda *_: PlainEncoder(options)
    pipeline_options.new_pipeline = PlainPipeline
    boto3.session.Session.client = _client
    failing = 0
    with tempfile.TemporaryDirectory() as folder, _server() as flags:
        FileSystems.set_options(PipelineOptions(flags))
        for name in ("a", "b", "c"):
            lines = (f"{name} line {i} of its file\n" for i in range(LINES))
            (Path(folder) / f"{name}.txt").write_text("".join(lines))
        for kind in ("same", "different"):
            began, winners, wrong = time.monotonic(), 0, 0
            for seed in range(args.seed, args.seed + args.races):
                race = Race(Path(folder), flags, kind, seed)
                found = race.run()
                winners += race.winners
                wrong += bool(found)
                for line in found:
                    print(f"{kind} inputs, seed {seed}: {line}", flush=True)
            seconds = time.monotonic() - began
            print(
                f"{kind:<10}{args.races:>5} races{winners:>5} commands won"
                f"{wrong:>5} failing{seconds:>6.0f} s",
                flush=True,
            )
            failing += wrong
    return 1 if failing else 0


class Race:
    """Two or three commands at once on one folder."""

    def __init__(self, folder: Path, flags: list[str], kind: str, seed: int) -> None:
        self._folder, self._flags = folder, flags
        self._random = random.Random(seed)
        self._output = f"s3://{BUCKET}/{kind}-{seed}"
        names = ("a", "b", "c")[: self._random.choice((2, 3))]
        self._inputs = [names if kind == "same" else (name,) for name in names]
        self.winners = 0

    def run(self) -> list[str]:
        """Start them; what is wrong with how they end, and with what they leave."""
        wrong = []
        ends = self._together()
        for ended in ends:
            if ended.code == 0:
                self.winners += 1
                wrong += self._incomplete(ended.inputs)
            elif ended.code != 1 or len(ended.err.splitlines()) != 1 or "Traceback" in ended.err:
                wrong.append(f"exit code {ended.code}: {ended.err[-500:]!r}")
        # What a winner has embedded is to be completed, else whatever the first one asks for.
        inputs = next((e.inputs for e in ends if e.code == 0), self._inputs[0])
        after = self._command(inputs, 0.0)
        if after.code:
            wrong.append(f"the same command afterwards: {after.code} {after.err[-500:]!r}")
        return wrong + self._incomplete(inputs)

    def _together(self) -> list[Ended]:
        with ThreadPoolExecutor() as pool:
            waits = [self._random.choice((0.0, self._random.random() / 2)) for _ in self._inputs]
            return list(pool.map(self._command, self._inputs, waits))

    def _command(self, inputs: tuple[str, ...], wait: float) -> Ended:
        """Run a command in a child."""
        with tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                os.dup2(err.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                time.sleep(wait)
                words = [w for n in inputs for w in ("--input", str(self._folder / f"{n}.txt"))]
                sys.argv = ["elmo-beam", "embed", *words, "--output", self._output, *self._flags]
                try:
                    os._exit(elmo_beam())
                finally:
                    os._exit(99)
            _, status = os.waitpid(child, 0)
            err.seek(0)
            return Ended(inputs, os.waitstatus_to_exitcode(status), err.read().decode())

    def _incomplete(self, inputs: tuple[str, ...]) -> list[str]:
        """What a complete run over these files lacks."""
        wrong = [] if exists(join(self._output, "_SUCCESS")) else ["no _SUCCESS"]
        texts = []
        for name in list_names(join(self._output, "parts")):
            part = read_bytes(join(self._output, "parts", name)) or b""
            texts += pq.read_table(io.BytesIO(part))["text"].to_pylist()
        expected = [f"{name} line {i} of its file" for name in inputs for i in range(LINES)]
        if sorted(texts) != sorted(expected):
            wrong.append(f"{len(texts)} rows, not the {len(expected)} of {', '.join(inputs)}")
        return wrong


NEW_CLIENT = boto3.session.Session.client
CLIENTS: dict[int, Any] = {}


def _client(session: Any, *names: str, **options: Any) -> Any:
    """One client for each process: Beam makes one for each operation, which takes far longer."""
    if os.getpid() not in CLIENTS:
        CLIENTS[os.getpid()] = NEW_CLIENT(session, *names, **options)
    return CLIENTS[os.getpid()]


@contextmanager
def _server() -> Iterator[list[str]]:
    """An S3 server in a process of its own, with one bucket; the flags that lead Beam to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            time.sleep(0.2)
            with suppress(Exception):
                boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
                break
        yield [f"--s3_endpoint_url={url}", "--s3_region_name=us-east-1"]
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
