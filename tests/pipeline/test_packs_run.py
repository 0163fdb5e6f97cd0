"""Runs over many small files, through the command line."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest

from elmo_beam import open_run
from elmo_beam.pipeline.job.planning import arranged, first_files
from elmo_beam.pipeline.job.progress import Progress
from elmo_beam.pipeline.job.state import state_now
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.transforms.embed_shards import EmbedShards
from elmo_beam.transforms.files.layout import layout_of
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.packs import plan_pack
from elmo_beam.transforms.plan import plan_shard
from tests.helpers.blocks import local_pipeline
from tests.helpers.command import Job, assert_same_rows, elmo_beam, files_of, random_lines

FLAGS = ("--block_size", "900")


def names(job: Job, folder: str) -> list[str]:
    return sorted(path.name for path in (job.out / folder).iterdir())


def packs(job: Job) -> list[list[str]]:
    """The files of each pack, in order."""
    plans = [json.loads(path.read_bytes()) for path in (job.out / "plan").glob("pack-*.json")]
    found = [[Path(plan["shard"]["path"]).name for plan in pack["plans"]] for pack in plans]
    return sorted(found)


def alone(job: Job) -> pa.Table:
    """The rows that the files give without packs, in order: no file is smaller than its blocks."""
    out = job.folder / "alone"
    elmo_beam(*job.command("--output", out, "--overwrite", "--block_size", "1"))
    return pa.concat_tables(open_run(out, allow_incomplete=True).tables())


def in_order(job: Job) -> pa.Table:
    return pa.concat_tables(open_run(job.out, allow_incomplete=True).tables())


@pytest.fixture
def small(job: Job) -> Job:
    """Nine files: three of them, two and three make packs, one is large and one is empty."""
    for i, name in enumerate("abcdefgh"):
        job.file(f"{name}.txt", random_lines(30 if name == "d" else 3, i))
    job.file("f.txt", "")
    job.file("h.txt", b"\xff\n\nlast words")
    job.file("i.jsonl", '{"text": "of another format"}\n')
    return job


def test_every_file_has_its_own_rows_and_accounts(small: Job) -> None:
    small.embed(*FLAGS).succeeds()
    assert packs(small) == [
        ["a.txt", "b.txt", "c.txt"],
        ["e.txt", "f.txt", "g.txt", "h.txt", "i.jsonl"],
    ]
    assert sorted({name[:5] for name in names(small, "parts")}) == ["d.txt", "pack-"]
    assert_same_rows(in_order(small), alone(small))
    manifest = small.manifest()
    of = {Path(each["shard"]).name: each for each in manifest["shards"]}
    assert list(of) == [*(f"{name}.txt" for name in "abcdefgh"), "i.jsonl"]
    assert [of["a.txt"][n] for n in ("complete", "lines", "rows", "blocks")] == [True, 3, 3, 1]
    assert [of["f.txt"][n] for n in ("complete", "lines", "blocks")] == [True, 0, 0]
    assert of["h.txt"]["rejected"] == {"invalid_utf8": 1}
    assert manifest["blocks"] == len(names(small, "parts")) == len(names(small, "blocks"))
    assert small.verify().code == 0
    before = files_of(small.out)
    small.embed(*FLAGS).succeeds()
    assert files_of(small.out) == before


@pytest.mark.parametrize(
    "flags", [("--format", "tfrecord"), ("--outputs", "default"), ("--words",)]
)
def test_other_outputs_of_packs(small: Job, flags: tuple[str, ...]) -> None:
    if flags == ("--words",):
        word = random_lines(1, 0).split()[0]
        (small.folder / "words").write_text(f"{word}\nlast words\nnever\n")
        flags = ("--words", str(small.folder / "words"))
    small.embed(*FLAGS, *flags).succeeds()
    assert small.verify().code == 0
    shards = in_order(small)["shard"].to_pylist()
    assert shards == sorted(shards)
    assert len(set(shards)) >= (7 if "words" not in flags[0] else 2)


def test_a_changed_file_computes_its_pack_and_nothing_else(small: Job) -> None:
    small.embed(*FLAGS).succeeds()
    before, formed = files_of(small.out / "parts"), packs(small)
    small.file("b.txt", random_lines(12, 77))  # with which the pack is larger than a block
    small.embed(*FLAGS).succeeds()
    after = files_of(small.out / "parts")
    assert packs(small) == formed
    other = {name for name in before if before[name] == after.get(name)}
    assert len(other) == len(before) - 1
    assert len(after) > len(before)
    assert_same_rows(in_order(small), alone(small))
    assert small.verify().code == 0


def test_files_that_come_later_make_other_packs(small: Job) -> None:
    small.embed(*FLAGS).succeeds()
    before, formed = files_of(small.out / "parts"), packs(small)
    for i, name in enumerate(("aa", "bb", "zz")):
        small.file(f"{name}.txt", random_lines(2, 50 + i))
    small.embed(*FLAGS).succeeds()
    after = files_of(small.out / "parts")
    assert {name: after[name] for name in before} == before
    assert packs(small) == sorted([*formed, ["aa.txt", "bb.txt", "zz.txt"]])
    assert sorted(in_order(small)["text"].to_pylist()) == sorted(alone(small)["text"].to_pylist())
    assert small.verify().code == 0


def test_a_damaged_file_costs_only_itself(small: Job) -> None:
    bad = small.file("b.txt", b"PK\x03\x04 an archive")
    ran = small.embed(*FLAGS)
    ran.refuses("damaged", bad)
    assert packs(small)[0] == ["a.txt", "b.txt", "c.txt"]
    texts = in_order(small)
    assert {Path(path).name for path in texts["shard"].to_pylist()} >= {"a.txt", "c.txt"}
    assert [each["shard"] for each in small.manifest()["damaged"]] == [str(bad)]
    before = files_of(small.out / "parts")
    small.embed(*FLAGS).refuses("damaged", bad)
    assert files_of(small.out / "parts") == before

    rest = [path for path in (small.folder / "in").iterdir() if path != bad]
    small_again = elmo_beam(*small.command(*FLAGS, inputs=rest))  # it leaves the pack
    small_again.succeeds()
    assert files_of(small.out / "parts") == before
    assert small.verify().code == 0

    small.file("b.txt", random_lines(3, 5))
    small.embed(*FLAGS).succeeds()
    assert_same_rows(in_order(small).sort_by("shard"), alone(small).sort_by("shard"))


def test_a_file_that_is_no_longer_named_is_refused(small: Job) -> None:
    small.embed(*FLAGS).succeeds()
    rest = [path for path in (small.folder / "in").iterdir() if path.name != "b.txt"]
    elmo_beam(*small.command(*FLAGS, inputs=rest)).refuses("no longer names", "b.txt")
    os.remove(small.folder / "in" / "b.txt")
    small.embed(*FLAGS).refuses("no longer names", "b.txt")


@pytest.mark.parametrize("lost", ["plan", "blocks", "parts"])
def test_what_is_lost_of_a_pack_is_made_again(small: Job, lost: str) -> None:
    small.embed(*FLAGS).succeeds()
    before, formed = files_of(small.out / "parts"), packs(small)
    for path in (small.out / lost).glob("pack-*"):
        if lost == "parts":
            path.unlink()
        else:
            path.write_bytes(b"")
    small.embed(*FLAGS).succeeds()
    assert files_of(small.out / "parts").keys() == before.keys()
    if lost == "plan":  # the accounts name the files that have lines
        formed = [[name for name in pack if name != "f.txt"] for pack in formed]
    assert packs(small) == formed
    assert_same_rows(in_order(small), alone(small))
    assert small.verify().code == 0


def test_compressed_files_are_packed_by_what_they_take_on_the_disk(job: Job) -> None:
    for i, name in enumerate("abcd"):
        job.file(f"{name}.txt.gz", gzip.compress(b"the same words again\n" * (10 + i)))
    job.embed(*FLAGS).succeeds()
    assert len(packs(job)) == 1
    assert len(names(job, "parts")) == 2
    assert_same_rows(in_order(job), alone(job))
    assert job.verify().code == 0


def test_files_planned_alone_stay_alone_and_packs_stay_packs(small: Job) -> None:
    paths = sorted(str(path) for path in (small.folder / "in").iterdir())
    settings = Settings(model=str(small.model), block_size=900)

    def transform(inputs: list[str]) -> None:
        with local_pipeline() as pipeline:
            _ = pipeline | beam.Create(inputs) | EmbedShards(small.out, settings)

    transform(paths[:3])
    small.embed(*FLAGS).succeeds()
    assert packs(small) == [["e.txt", "f.txt", "g.txt", "h.txt", "i.jsonl"]]
    before = files_of(small.out)
    transform(paths)
    assert files_of(small.out) == before
    assert_same_rows(in_order(small), alone(small))


def test_progress_counts_the_files_of_packs(small: Job) -> None:
    layout, settings = layout_of(str(small.out)), Settings(block_size=900)
    paths = sorted(str(path) for path in (small.folder / "in").iterdir())
    planned = arranged(layout, paths, [], settings)
    firsts = first_files(paths, planned)
    assert len(planned) == 2 and len(firsts) == 3
    state = state_now(layout, settings, paths, planned)
    progress = Progress(layout, state, list(firsts), StatusLine())
    assert progress.line() == "planned 0 of 9 files"
    plan_pack(layout, planned[1].stem, settings)
    progress.look()
    assert progress.line() == "planned 5 of 9 files"
    plan_pack(layout, planned[0].stem, settings)
    plan_shard(layout, paths[3], settings)
    progress.look()
    blocks = progress.planned_blocks
    assert progress.line() == f"0 of {blocks} blocks" and blocks > 3
