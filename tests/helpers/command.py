"""The command line as tests use it: called in this process, or started in one of its own."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import checked_weights
from elmo_beam.pipeline.cli import run

ROOT = Path(__file__).resolve().parents[2]
PROGRESS = re.compile(
    r"([\d.]+ (s|min|h) left, )?"
    r"((planned|read|merged|measured|probed) [\d,]+ of [\d,]+ (file|part|output|sentence)s?"
    r"|counting the words of [\d,]+ files?|starting"
    r"|[\d,]+ of [\d,]+ blocks?(, [\d,]+ tokens/s)?(, loading the model)?"
    r"|epoch \d.*)"
)
MULTI_PROCESSING = ("--direct_running_mode", "multi_processing", "--direct_num_workers", "2")
SMALL = ModelOptions(
    filters=((1, 4), (2, 6)), char_dim=4, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=8, projection_dim=4, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines on stderr that do not report progress."""
        return [line for line in self.err.splitlines() if not PROGRESS.fullmatch(line)]

    def refuses(self, *parts: object, code: int = 1) -> None:
        """Assert this exit code and one line on stderr that holds each of `parts`."""
        assert self.code == code, self.err
        assert len(self.complaints) == 1, f"not one line: {self.err}"
        assert self.complaints[0].startswith("elmo-beam: "), self.err
        for part in parts:
            assert str(part) in self.complaints[0], f"no {str(part)!r} in {self.complaints[0]!r}"

    def succeeds(self) -> Ran:
        """Assert exit code 0 and nothing to complain of."""
        assert (self.code, self.complaints) == (0, []), self.err
        return self


def elmo_beam(*arguments: object, stdout: io.TextIOBase | None = None) -> Ran:
    """Run the command line in this process: importing TensorFlow and Beam takes 10 s."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", errors, "\n", write_through=True)
        for errors in ("strict", "backslashreplace")
    )
    with redirect_stdout(stdout or out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Ran(code, *texts)


@dataclass
class Job:
    """A folder with input files, a model and an output folder, and `embed` on them."""

    folder: Path
    model: Path | str
    out_name: str = "out"

    @property
    def out(self) -> Path:
        return self.folder / self.out_name

    def file(self, name: str, data: bytes | str) -> Path:
        """Write an input file."""
        path = self.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def command(self, *flags: object, inputs: Sequence[object] | None = None) -> list[str]:
        """The arguments of `embed` on `inputs`, by default on all that `file` wrote.

        If `flags` repeat one of its own, theirs counts.
        """
        named = inputs if inputs is not None else [self.folder / "in" / "*"]
        given = [word for path in named for word in ("--input", path)]
        words = ["embed", *given, "--output", self.out, "--model", self.model, *flags]
        return [str(word) for word in words]

    def embed(self, *flags: object, inputs: Sequence[object] | None = None) -> Ran:
        return elmo_beam(*self.command(*flags, inputs=inputs))

    def verify(self) -> Ran:
        return elmo_beam("verify", self.out)

    def rows(self) -> pa.Table:
        """All rows, file by file."""
        return read_rows(self.out)

    def manifest(self) -> dict[str, Any]:
        """manifest.json."""
        return dict(json.loads((self.out / "manifest.json").read_text()))

    @property
    def success(self) -> bool:
        return (self.out / "_SUCCESS").exists()

    def rejects(self) -> list[dict[str, Any]]:
        """All rejects, file by file."""
        files = sorted((self.out / "rejects").glob("*"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def write_model(folder: Path, options: ModelOptions = SMALL, seed: int = 3) -> Path:
    """A model of random weights in the published layout."""
    rng = np.random.default_rng(seed)
    arrays = {n: rng.normal(0, 0.4, s).astype(np.float32) for n, s in options.shapes().items()}
    arrays["char_embed"][0] = 0.0
    write_bilm(checked_weights(options, arrays, "random"), folder)
    return folder


def read_rows(out: Path) -> pa.Table:
    """All rows of a run in Parquet, file by file."""
    tables = [pq.read_table(file, partitioning=None) for file in sorted((out / "parts").iterdir())]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def vectors(table: pa.Table, name: str) -> np.ndarray:
    """An output's vectors, flat: [tokens or sentences, dim]."""
    column = table[name].combine_chunks()
    while not pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    return np.asarray(column.flatten(), np.float32).reshape(-1, column.type.list_size)


def assert_same_rows(got: pa.Table, want: pa.Table, ignoring: Sequence[str] = ()) -> None:
    """The same rows in the same order: every column identical, but vectors within 1e-5."""
    assert got.schema == want.schema
    for field in want.schema:
        if pa.types.is_floating(_innermost(field.type)):
            found, wanted = vectors(got, field.name), vectors(want, field.name)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
        elif field.name not in ignoring:
            assert got[field.name].to_pylist() == want[field.name].to_pylist(), field.name


def _innermost(kind: pa.DataType) -> pa.DataType:
    while pa.types.is_nested(kind):
        kind = kind.value_type
    return kind


def files_of(out: Path) -> dict[str, tuple[int, bytes]]:
    """Modification time and content of every file below a folder, by its relative path."""
    return {
        str(file.relative_to(out)): (file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(out.rglob("*"))
        if file.is_file()
    }


def random_lines(lines: int, seed: int = 1, words: int = 12) -> str:
    """Lines of made-up words; no two alike, and nothing that compresses well."""
    rng = random.Random(seed)
    return "".join(
        " ".join(f"w{rng.randrange(9999)}" for _ in range(words)) + "\n" for _ in range(lines)
    )


def process(
    *arguments: object, program: Sequence[str] = ("-m", "elmo_beam"), **options: Any
) -> subprocess.Popen[str]:
    """Start the command in a process and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def ended(started: subprocess.Popen[str], seconds: float) -> Ran:
    """What a started command returned; fails if it has not ended, output and all, by then."""
    out, err = started.communicate(timeout=seconds)
    return Ran(started.returncode, out, err)


@contextmanager
def running(job: Job, *flags: object, blocks: int = 3) -> Iterator[subprocess.Popen[str]]:
    """`embed` in a process of its own, once it has done some blocks."""
    started = process(*job.command(*flags))
    try:
        wait_for(lambda: done_blocks(job.out) >= blocks or started.poll() is not None, 120)
        assert started.poll() is None, started.communicate()[1]
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def done_blocks(out: Path) -> int:
    """Blocks committed in a folder so far."""
    return len(list((out / "blocks").glob("*.json")))


def wait_for(true: Callable[[], bool], seconds: float) -> float:
    """Wait until something is true; how long it took. Fails after so many seconds."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not so after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Whether a process runs, and is not only waiting to be reaped."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[int]:
    """The processes below one, its children first."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
