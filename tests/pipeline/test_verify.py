"""verify finds every tampering, in either format, and a rerun repairs what can be repaired."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import Job, elmo_beam, files_of, random_lines

FLAGS = ("--block_size", "1k", "--outputs", "elmo,default")


@pytest.fixture(scope="module", params=["parquet", "tfrecord"])
def good(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model: Path
) -> Job:
    """A finished run of several blocks with rejects and blanks."""
    job = Job(tmp_path_factory.mktemp("good"), model)
    job.file("a.txt", random_lines(30).encode() + b"\nbad \xff line\n")
    job.file("b.txt", "One bank.\n")
    job.embed(*FLAGS, "--format", request.param).succeeds()
    return job


@pytest.fixture
def job(good: Job, tmp_path: Path) -> Job:
    """A copy of it, to be tampered with."""
    copy = replace(good, out_name=f"copy-{tmp_path.name}")
    shutil.rmtree(copy.out, ignore_errors=True)
    shutil.copytree(good.out, copy.out)
    return copy


def command_of(job: Job) -> list[str]:
    """The command that made the run."""
    settings = json.loads((job.out / "run.json").read_text())["settings"]
    return job.command(*FLAGS, "--format", settings["format"])


def one(job: Job, folder: str, name: str = "a.txt") -> Path:
    """The first file in a folder that belongs to a shard."""
    return sorted((job.out / folder).glob(f"{name}*"))[0]


def last(job: Job, folder: str) -> Path:
    """The last file in a folder that belongs to a.txt: its block has a blank and a reject."""
    return sorted((job.out / folder).glob("a.txt*"))[-1]


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change a JSON file."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def add(**figures: int) -> Callable[[dict[str, Any]], None]:
    """Add to figures of a JSON document."""

    def change(document: dict[str, Any]) -> None:
        for name, n in figures.items():
            document[name] += n

    return change


def flip_bit(job: Job) -> Path:
    path = one(job, "parts")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path


def cut_part(job: Job) -> Path:
    path = one(job, "parts")
    path.write_bytes(path.read_bytes()[:-1])
    return path


def remove(job: Job, path: Path) -> Path:
    path.unlink()
    return path


def swap_parts(job: Job) -> Path:
    path, other = sorted((job.out / "parts").glob("a.txt*"))[:2]
    path.write_bytes(other.read_bytes())
    return path


def foreign_part(job: Job) -> Path:
    path = job.out / "parts" / "notes.txt"
    path.write_text("x")
    return path


def stale_part(job: Job) -> Path:
    path = one(job, "parts")
    stale = path.with_name(path.name.replace("-000000000", "-000000009"))
    shutil.copy(path, stale)
    return stale


def edit_reject(job: Job) -> Path:
    return edit(one(job, "rejects"), lambda d: d.update(line=0))


def empty_reject(job: Job) -> Path:
    path = one(job, "rejects")
    path.write_bytes(b"")
    return path


def garbage_reject(job: Job) -> Path:
    path = one(job, "rejects")
    path.write_text("[]\n")
    return path


def extra_reject(job: Job) -> Path:
    path = one(job, "rejects")
    path.write_text(path.read_text() * 2)
    return path


def consistent_lie(job: Job) -> Path:
    """One row fewer embedded, one blank more, in the accounts and in the manifest."""
    path = edit(last(job, "blocks"), add(embedded=-1, blank=1))

    def shift(manifest: dict[str, Any]) -> None:
        for accounts in (manifest, manifest["shards"][0]):
            add(embedded=-1, blank=1)(accounts)

    edit(job.out / "manifest.json", shift)
    return path


TAMPERINGS: dict[str, Callable[[Job], Path]] = {
    "a bit of a part flipped": flip_bit,
    "a part cut": cut_part,
    "a part gone": lambda job: remove(job, one(job, "parts")),
    "a part replaced by another's": swap_parts,
    "a foreign file among the parts": foreign_part,
    "a stale part": stale_part,
    "accounts gone": lambda job: remove(job, one(job, "blocks")),
    "accounts empty": lambda job: (one(job, "blocks").write_bytes(b""), one(job, "blocks"))[1],
    "accounts with other rows": lambda job: edit(one(job, "blocks"), add(rows=1)),
    "accounts with other tokens": lambda job: edit(one(job, "blocks"), add(tokens=1)),
    "accounts that do not balance": lambda job: edit(one(job, "blocks"), add(blank=1)),
    "accounts with other lines": lambda job: edit(one(job, "blocks"), add(lines=1, blank=1)),
    "accounts and manifest that lie alike": consistent_lie,
    "a plan gone": lambda job: remove(job, one(job, "plan", "b.txt")),
    "a plan cut": lambda job: (one(job, "plan").write_text("{"), one(job, "plan"))[1],
    "rejects gone": lambda job: remove(job, one(job, "rejects")),
    "rejects edited": edit_reject,
    "rejects empty": empty_reject,
    "rejects garbage": garbage_reject,
    "a reject too many": extra_reject,
    "manifest gone": lambda job: remove(job, job.out / "manifest.json"),
    "manifest garbage": lambda job: ((job.out / "manifest.json").write_text("{"), job.out)[1],
    "manifest with other lines": lambda job: edit(job.out / "manifest.json", add(lines=1)),
    "manifest with other shards": lambda job: edit(
        job.out / "manifest.json", lambda d: d["shards"].pop()
    ),
    "manifest not complete": lambda job: edit(
        job.out / "manifest.json", lambda d: d.update(complete=False)
    ),
    "no _SUCCESS": lambda job: remove(job, job.out / "_SUCCESS"),
}
FOREIGN = ("a foreign file among the parts",)  # not ours to delete
BROKEN_IN_PLACE = (  # embed looks at accounts, not into parts and rejects: verify says what to do
    "a bit of a part flipped", "a part cut", "a part replaced by another's", "rejects edited",
    "rejects gone", "rejects empty", "rejects garbage", "a reject too many",
    "accounts with other rows", "accounts with other tokens",
    "accounts and manifest that lie alike",
)  # fmt: skip


def test_a_good_run_passes_and_nothing_is_changed_by_looking(good: Job) -> None:
    before = files_of(good.out)
    ran = good.verify().succeeds()
    assert f"{good.manifest()['rows']} rows" in ran.out
    assert f"{len(list((good.out / 'blocks').iterdir()))} blocks" in ran.out
    assert files_of(good.out) == before


@pytest.mark.parametrize("how", TAMPERINGS)
def test_every_tampering_is_found_and_named(job: Job, how: str) -> None:
    path = TAMPERINGS[how](job)
    ran = job.verify()
    assert ran.code == 1, f"passed in spite of {how}"
    assert ran.complaints
    assert all(line.startswith("elmo-beam: ") for line in ran.complaints), ran.err
    if path.exists() and path.parent.name in ("parts", "rejects"):
        assert any(str(path) in line for line in ran.complaints), ran.err


@pytest.mark.parametrize("how", ["a plan gone", "a plan cut"])
def test_nobody_is_asked_to_remove_good_parts_if_a_plan_is_lost(job: Job, how: str) -> None:
    TAMPERINGS[how](job)
    ran = job.verify()
    wrong = [c for c in ran.complaints if f"{job.out}/parts/" in c and c.endswith("remove it")]
    assert wrong == []


@pytest.mark.parametrize("how", [how for how in TAMPERINGS if how not in FOREIGN + BROKEN_IN_PLACE])
def test_the_same_command_repairs_what_is_missing_or_does_not_add_up(job: Job, how: str) -> None:
    TAMPERINGS[how](job)
    elmo_beam(*command_of(job)).succeeds()
    job.verify().succeeds()


@pytest.mark.parametrize("how", BROKEN_IN_PLACE)
def test_what_verify_says_to_remove_is_made_again_by_the_same_command(job: Job, how: str) -> None:
    TAMPERINGS[how](job)
    for line in job.verify().complaints:
        words = [word.strip(":,;") for word in line.split() if word.startswith(str(job.out))]
        if "remove it" in line:
            Path(words[0]).unlink()
        elif words and f"remove {words[-1]}" in line:
            Path(words[-1]).unlink()
    elmo_beam(*command_of(job)).succeeds()
    job.verify().succeeds()


def test_an_incomplete_run_does_not_pass(job: Job) -> None:
    job.file("c.txt.gz", "no gzip")
    try:
        elmo_beam(*command_of(job)).refuses("c.txt.gz")
        job.verify().refuses("c.txt.gz")
    finally:
        (job.folder / "in" / "c.txt.gz").unlink()
    elmo_beam(*command_of(job)).succeeds()
    job.verify().succeeds()


def test_a_success_that_lies_is_found(job: Job) -> None:
    for path in (job.out / "blocks").glob("a.txt*"):
        path.unlink()
    ran = job.verify()
    assert ran.code == 1
    assert any("_SUCCESS" in line for line in ran.complaints), ran.err


@pytest.mark.parametrize("command", ["verify", "inspect"])
@pytest.mark.parametrize("what", ["nowhere", "empty", "file", "others"])
def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path, command: str, what: str) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_text("x")
    elif what != "nowhere":
        path.mkdir()
    if what == "others":
        (path / "run.json").write_text('{"name": "theirs"}')
    elmo_beam(command, path).refuses(path)
    assert path.exists() == (what != "nowhere")
