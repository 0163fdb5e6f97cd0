"""A run that continues after its inputs or its settings have changed."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import (
    Job,
    assert_same_rows,
    done_blocks,
    elmo_beam,
    files_of,
    random_lines,
    read_rows,
    wait_for,
    write_model,
)

SMALL_BLOCKS = ("--block_size", "1k")


def fresh(job: Job, *flags: object) -> Any:
    """The rows that an unbroken run over the same files gives."""
    out = job.folder / "fresh"
    elmo_beam(*job.command(*flags, "--output", out)).succeeds()
    return read_rows(out)


def parts_of(job: Job, name: str) -> dict[str, tuple[int, bytes]]:
    """Parts of a shard, as files."""
    return {n: f for n, f in files_of(job.out / "parts").items() if n.startswith(f"{name}-")}


def test_a_shard_added_later_computes_only_itself(job: Job) -> None:
    job.file("b.txt", random_lines(60, 1))
    job.embed(*SMALL_BLOCKS).succeeds()
    before = files_of(job.out / "parts")
    job.file("a.txt", random_lines(40, 2))
    job.file("c.txt.gz", gzip.compress(random_lines(20, 3).encode()))
    job.embed(*SMALL_BLOCKS).succeeds()
    after = files_of(job.out / "parts")
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)
    assert_same_rows(job.rows(), fresh(job, *SMALL_BLOCKS))
    manifest = job.manifest()
    assert [Path(s["shard"]).name for s in manifest["shards"]] == ["a.txt", "b.txt", "c.txt.gz"]
    assert manifest["lines"] == 120
    assert job.verify().code == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda old: old + "one line more\n",
        lambda old: old[: len(old) // 2],
        lambda old: old.replace("w", "v"),  # of the same size
        lambda old: "",
    ],
    ids=["appended", "cut", "rewritten", "emptied"],
)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_file_that_changed_is_computed_anew_and_no_other(
    job: Job, change: Any, compressed: bool
) -> None:
    pack = gzip.compress if compressed else bytes
    name = "b.txt.gz" if compressed else "b.txt"
    text = random_lines(60, 1)
    job.file("a.txt", random_lines(20, 2))
    job.file(name, pack(text.encode()))
    job.embed(*SMALL_BLOCKS).succeeds()
    kept = parts_of(job, "a.txt")
    job.file(name, pack(change(text).encode()))
    job.embed(*SMALL_BLOCKS).succeeds()
    assert parts_of(job, "a.txt") == kept
    assert job.success
    assert_same_rows(job.rows(), fresh(job, *SMALL_BLOCKS))
    assert job.verify().code == 0


def test_a_file_only_touched_is_not_computed_anew(job: Job) -> None:
    path = job.file("a.txt", random_lines(20))
    job.embed().succeeds()
    before, figures = files_of(job.out / "parts"), job.manifest()["figures"]
    os.utime(path, (1, 1))
    (job.out / ".tmp").mkdir(exist_ok=True)
    (job.out / ".tmp" / f".{'0' * 32}").write_bytes(b"of a worker that was killed")
    ran = job.embed().succeeds()
    assert files_of(job.out / "parts") == before
    assert "this session" not in ran.out
    assert job.manifest()["figures"] == figures, "those of the session that did the work"
    assert not (job.out / ".tmp").exists()


def test_a_session_counts_the_tokens_that_it_embedded(job: Job) -> None:
    touched = job.file("a.txt", random_lines(20, 1))
    job.embed().succeeds()
    tokens = job.manifest()["tokens"]
    os.utime(touched, (1, 1))
    job.file("b.txt", random_lines(10, 2))
    job.embed().succeeds()
    manifest = job.manifest()
    assert manifest["figures"]["session_tokens"] == manifest["tokens"] - tokens > 0


def test_a_file_that_vanished_is_refused_by_name(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    gone = job.file("b.txt", "Two banks.\n")
    job.embed().succeeds()
    before = files_of(job.out)
    gone.unlink()
    job.embed().refuses(gone)  # by the glob that found it
    job.embed(inputs=[job.folder / "in" / "a.txt"]).refuses(gone)
    job.embed(inputs=[job.folder / "in" / "a.txt", gone]).refuses(gone)
    assert files_of(job.out) == before


def test_a_link_to_nowhere_now_costs_none_of_its_parts(job: Job) -> None:
    target = job.folder / "target.txt"
    target.write_text("One bank.\n")
    (job.folder / "in").mkdir()
    (job.folder / "in" / "a.txt").symlink_to(target)
    job.embed().succeeds()
    before = files_of(job.out / "parts")
    target.rename(job.folder / "elsewhere.txt")  # as if its disk were not mounted
    job.embed().refuses("a.txt (No such file or directory), which was embedded before: the same")
    assert files_of(job.out / "parts") == before
    (job.folder / "elsewhere.txt").rename(target)
    job.embed().succeeds()
    assert files_of(job.out / "parts") == before


def test_a_file_that_changes_in_mid_run_is_named_and_leaves_nothing_stale(job: Job) -> None:
    path = job.file("a.txt", random_lines(1500))
    job.file("b.txt", "One bank.\n")

    def append() -> None:
        wait_for(lambda: done_blocks(job.out) > 2, 60)
        with path.open("a") as file:
            file.write("one more line\n")

    thread = threading.Thread(target=append)
    thread.start()
    ran = job.embed(*SMALL_BLOCKS)
    thread.join()
    ran.refuses(path, "changed while it was read")
    assert not job.success
    manifest = job.manifest()
    by_name = {Path(s["shard"]).name: s for s in manifest["shards"]}
    assert by_name["b.txt"]["complete"] and not by_name["a.txt"]["complete"]
    rows = [s for s in job.rows()["shard"].to_pylist() if s == str(path)]
    assert len(rows) == by_name["a.txt"]["rows"]  # the manifest counts what is there
    if "nothing of it" in ran.complaints[0]:
        assert rows == []
    job.embed(*SMALL_BLOCKS).succeeds()
    assert_same_rows(job.rows(), fresh(job, *SMALL_BLOCKS))
    assert job.verify().code == 0


CHANGES = {
    "--block_size": ("2k", "262144", "2048"),
    "--outputs": ("default", "elmo", "default"),
    "--dtype": ("float16", "float32", "float16"),
    "--format": ("tfrecord", "parquet", "tfrecord"),
    "--normalize": ("none", "nfc", "none"),
    "--tokenizer": ("whitespace", "moses", "whitespace"),
    "--language": ("de", "en", "de"),
    "--max_tokens": (7, "5000", "7"),
    "--long_sentences": ("split", "reject", "split"),
    "--text_field": ("body", "text", "body"),
    "--text_column": ("body", "text", "body"),
    "--id_field": ("key", "none", "key"),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Job:
    """A finished run."""
    job = Job(tmp_path_factory.mktemp("done"), model)
    job.file("a.txt", "One bank.\n")
    job.embed().succeeds()
    return job


@pytest.mark.parametrize("flag", CHANGES)
def test_another_setting_on_the_same_folder_is_refused_with_what_differs(
    done: Job, flag: str
) -> None:
    before = files_of(done.out)
    value, old, new = CHANGES[flag]
    done.embed(flag, value).refuses(flag, old, new, done.out, "--overwrite")
    assert files_of(done.out) == before


def test_split_sentences_and_several_changes_are_all_named(done: Job) -> None:
    ran = done.embed("--split_sentences", "--outputs", "default", "--dtype", "float16")
    ran.refuses("--split_sentences", "--outputs", "--dtype")


def test_another_model_is_refused_and_the_same_one_elsewhere_is_not(
    done: Job, tmp_path: Path
) -> None:
    other = write_model(tmp_path / "other", seed=4)
    done.embed("--model", other).refuses("--model", done.manifest()["settings"]["digest"][:12])
    before = files_of(done.out / "parts")
    done.embed("--model", write_model(tmp_path / "same")).succeeds()
    assert files_of(done.out / "parts") == before


def test_memory_and_where_to_run_may_change(done: Job) -> None:
    before = files_of(done.out / "parts")
    done.embed("--memory", "64M", "--runner", "DirectRunner").succeeds()
    assert files_of(done.out / "parts") == before


def test_versions_are_recorded_not_compared(done: Job, tmp_path: Path) -> None:
    run = done.out / "run.json"
    document = json.loads(run.read_text())
    assert {"elmo-beam", "tensorflow", "apache-beam"} <= set(document["versions"])
    document["versions"]["tensorflow"] = "1.15.0"
    run.write_text(json.dumps(document))
    done.embed().succeeds()


def test_overwrite_takes_other_settings_and_leaves_nothing_of_the_old_run(job: Job) -> None:
    job.file("a.txt", random_lines(60) + "bad \n")
    old = job.file("b.txt", b"bad \xff line\n")
    job.embed(*SMALL_BLOCKS).succeeds()
    old.unlink()
    flags = ("--block_size", "2k", "--outputs", "default")
    job.embed(*flags, "--overwrite").succeeds()
    assert_same_rows(job.rows(), fresh(job, *flags))
    assert job.rejects() == []
    assert job.verify().code == 0
    job.embed(*flags).succeeds()
