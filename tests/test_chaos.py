"""Faults at a sample of the file operations of small jobs; and what the checks must see."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.pipeline.job import pipeline_options
from elmo_beam.transforms import steps
from tests.helpers.command import ROOT, SMALL, elmo_beam, write_model

sys.path.insert(0, str(ROOT / "scripts"))

from chaos import PLAIN
from faults.phases import PHASES
from faults.preload import KILL, Fault, no_compiler, sample
from faults.stand_ins import PlainEncoder, PlainPipeline

SCRIPT = ROOT / "scripts" / "chaos.py"
POINTS = 3  # in each phase
LABELS = ["open in/a.txt", "read in/a.txt", "read in/a.txt", "rename out/b", "write out/.tmp/.x"]


@pytest.mark.skipif(no_compiler() is not None, reason=str(no_compiler()))
def test_no_fault_leaves_anything_wrong() -> None:
    points = str(POINTS * len(PLAIN))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--points", points, "--model", "0", "--train", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, *rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(PLAIN)
    for _, operations, tried, missed, failing, _ in rows:
        assert int(operations) > 100
        assert (int(tried), int(failing)) == (POINTS, 0)
        assert int(missed) < POINTS / 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a phase whose command has been run without a fault."""
    monkeypatch.setattr(steps, "load_sentence_encoder", lambda *_: PlainEncoder(SMALL))
    monkeypatch.setattr(pipeline_options, "new_pipeline", PlainPipeline)
    write_model(tmp_path / "model")
    PHASES["fresh"].prepare(tmp_path, lambda *_: None)
    elmo_beam(*PHASES["fresh"].command(tmp_path)).succeeds()
    return tmp_path


def first(folder: Path, name: str) -> Path:
    return min((folder / "out" / name).iterdir())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_part(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Another part under its name, with accounts that have its checksum."""
    part, accounts = first(folder, "parts"), first(folder, "blocks")
    pq.write_table(change(pq.read_table(part, partitioning=None)), part)
    document = json.loads(accounts.read_text())
    document["sha256"] = hashlib.sha256(part.read_bytes()).hexdigest()
    accounts.write_text(json.dumps(document))


def another_vector(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    rows[-1]["elmo"][-1][-1] += 1e-3
    return pa.Table.from_pylist(rows, table.schema)


def leave_behind(folder: Path) -> None:
    (folder / "out" / ".tmp").mkdir()
    (folder / "out" / ".tmp" / ".x").touch()


WRONG: dict[str, Callable[[Path], object]] = {
    "half written": lambda f: cut(first(f, "parts")),
    "half written: plan": lambda f: cut(first(f, "plan")),
    "half written: run.json": lambda f: cut(f / "out" / "run.json"),
    "but 0 parts": lambda f: first(f, "parts").unlink(),
    "but another part": lambda f: first(f, "parts").write_bytes(
        max((f / "out" / "parts").iterdir()).read_bytes()
    ),
    "other rows": lambda f: replace_part(f, lambda t: pa.concat_tables([t, t.slice(0, 1)])),
    "rejects or accounts": lambda f: first(f, "rejects").unlink(),
    "wrong vectors": lambda f: replace_part(f, another_vector),
    "have no accounts": lambda f: first(f, "blocks").unlink(),
}
INCOMPLETE: dict[str, Callable[[Path], object]] = {
    "missing: _SUCCESS": lambda f: (f / "out" / "_SUCCESS").unlink(),
    "manifest.json": lambda f: (f / "out" / "manifest.json").unlink(),
    "left behind": leave_behind,
    "stray: parts/b": lambda f: first(f, "parts").rename(f / "out/parts/b.parquet"),
    "a plan too many": lambda f: first(f, "plan").unlink(),
}


@pytest.mark.parametrize("complaint", [*WRONG, *INCOMPLETE])
def test_the_checks_see_what_is_wrong(complaint: str, folder: Path) -> None:
    check = PHASES["fresh"].check
    assert list(check(folder, folder, True)) == []
    {**WRONG, **INCOMPLETE}[complaint](folder)
    assert complaint in "; ".join(check(folder, folder, True))
    if complaint in WRONG:
        assert complaint in "; ".join(check(folder, folder, False))


def test_a_sample_has_each_operation_once_before_one_twice_and_faults_that_it_may_meet() -> None:
    faults = sample(LABELS, 1000, random.Random(0))
    assert len({fault.label for fault in faults[:4]}) == 4
    assert len(set(faults)) == len(faults)
    assert {(f.error, f.nth) for f in faults if f.label == "read in/a.txt"} == {
        (error, nth) for error in (KILL, "EIO") for nth in (1, 2)
    }
    assert not any(f.error == "ENOSPC" for f in faults if f.label == "open in/a.txt")
    assert sample(LABELS, 7, random.Random(3)) == sample(LABELS, 7, random.Random(3))


@pytest.mark.parametrize("fault", sample(LABELS, 40, random.Random(0)), ids=str)
def test_a_fault_is_repeated_by_its_text(fault: Fault) -> None:
    assert Fault.parse(str(fault)) == fault
