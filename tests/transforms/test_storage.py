"""Small files, local and remote: whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.value_provider import RuntimeValueProvider

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.accounts import is_done
from elmo_beam.transforms.files import remote, storage
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.temporary import temporary_errors_explained
from elmo_beam.transforms.inputs.blocks import Block
from elmo_beam.transforms.inputs.expand import expand_inputs
from elmo_beam.transforms.inputs.shards import Shard, stat_shard
from elmo_beam.transforms.plan import plan_shard
from elmo_beam.transforms.write import write_block
from tests.helpers.blocks import embedded_block, make_settings, normalized, raw_block, read_blocks
from tests.helpers.memory_files import BREAKING, FAILING, FILES
from tests.helpers.refusal import refused

REMOTE = "memory://store/out"


@pytest.fixture(params=["local", "remote"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A folder to write to: one that is not there yet, and a remote one."""
    for store in (FILES, FAILING, BREAKING):
        store.clear()
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    yield str(tmp_path / "out") if request.param == "local" else REMOTE
    assert list((tmp_path / "scratch").iterdir()) == []
    assert list(tmp_path.glob("out/.tmp/.*")) == []
    for store in (FILES, FAILING, BREAKING):
        store.clear()


def test_what_is_written_is_read_listed_and_deleted(root: str) -> None:
    path = storage.join(root, "parts", "a b.bin")
    assert not storage.exists(path)
    assert storage.read_bytes(path) is None
    assert storage.list_names(storage.join(root, "parts")) == []
    data = bytes(range(256)) * 100
    storage.write_bytes(root, path, data)
    storage.write_bytes(root, storage.join(root, "parts", "Z.gz"), b"\x1f\x8b no gzip")
    storage.write_bytes(root, storage.join(root, "other", "c"), b"")
    assert storage.exists(path)
    assert storage.read_bytes(path) == data
    assert storage.read_bytes(storage.join(root, "parts", "Z.gz")) == b"\x1f\x8b no gzip"
    assert storage.read_bytes(storage.join(root, "other", "c")) == b""
    assert storage.list_names(storage.join(root, "parts")) == ["Z.gz", "a b.bin"]
    with storage.local_copy(path) as copy:
        assert Path(copy).read_bytes() == data
    storage.delete(path)
    storage.delete(path)
    assert storage.list_names(storage.join(root, "parts")) == ["Z.gz"]


def test_writing_again_replaces(root: str) -> None:
    path = storage.join(root, "a")
    for data in (b"first, and longer", b"second"):
        storage.write_bytes(root, path, data)
        assert storage.read_bytes(path) == data


def test_a_file_that_was_not_finished_never_appears(root: str) -> None:
    path = storage.join(root, "parts", "a")
    storage.write_bytes(root, path, b"before")
    with pytest.raises(KeyError), storage.new_file(root, path) as temporary:
        assert os.path.basename(temporary).startswith(".")
        Path(temporary).write_bytes(b"half")
        assert storage.read_bytes(path) == b"before"
        raise KeyError("a bug in the writer")
    assert storage.read_bytes(path) == b"before"
    where = tempfile.gettempdir() if remote.is_remote(root) else path  # where the space is missing
    with refused("cannot write", where, "No space"), storage.new_file(root, path) as temporary:
        Path(temporary).write_bytes(b"half")
        raise OSError(28, "No space left on device")
    assert storage.read_bytes(path) == b"before"


def test_a_limit_on_the_size_of_files_is_named_and_not_a_lack_of_space(root: str) -> None:
    too_large = OSError(errno.EFBIG, "File too large")
    explained = "(File too large): raise the limit on the size of a file (ulimit -f"
    path = storage.join(root, "a")
    with refused("cannot write", explained), storage.new_file(root, path):
        raise too_large
    with refused("temporary files in", explained), temporary_errors_explained():
        raise too_large


def test_an_upload_that_breaks_is_explained_in_one_line(root: str) -> None:
    path = storage.join(REMOTE, "parts", "a")
    FAILING.add(path)
    with refused(path, "the store hung up"):
        storage.write_bytes(REMOTE, path, b"data")
    assert not storage.exists(path)


@pytest.mark.parametrize("sent", [4, 8, 9])
def test_an_upload_that_breaks_in_a_later_chunk_leaves_no_file(
    root: str, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    monkeypatch.setattr(remote, "UPLOAD_CHUNK", 4)
    path = storage.join(REMOTE, "parts", "a")
    BREAKING[path] = sent
    with refused(f"cannot reach {path}", "the store hung up"):
        storage.write_bytes(REMOTE, path, b"0123456789")
    assert FILES == {}
    BREAKING.clear()
    storage.write_bytes(REMOTE, path, b"0123456789")
    assert {path: b"0123456789"} == FILES


@pytest.mark.parametrize("size", [0, 3, 4, 5, 8, 9])
def test_a_file_is_uploaded_whole_in_chunks(
    root: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(remote, "UPLOAD_CHUNK", 4)
    path, data = storage.join(REMOTE, "a"), bytes(range(size))
    storage.write_bytes(REMOTE, path, data)
    assert {path: data} == FILES


@pytest.fixture
def no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which nothing has set options for Beam's filesystems."""
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    monkeypatch.setattr(RuntimeValueProvider, "runtime_options", None)


def test_no_options_are_set_for_the_whole_process(no_options: None, root: str) -> None:
    storage.write_bytes(REMOTE, f"{REMOTE}/a", b"data")
    assert storage.read_bytes(f"{REMOTE}/a") == b"data"
    with suppress(UserError):
        storage.exists("choosy://store/a")
    assert FileSystems._pipeline_options is None
    assert RuntimeValueProvider.runtime_options is None


def test_a_filesystem_that_needs_options_is_reached_without_any(no_options: None) -> None:
    assert not storage.exists("choosy://store/a")


def test_the_options_of_the_process_are_those_that_a_filesystem_gets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = PipelineOptions(["--s3_region_name=eu-west-1"])
    monkeypatch.setattr(FileSystems, "_pipeline_options", options)
    assert remote.filesystem("choosy://store/a")._options is options


def test_a_folder_that_cannot_be_written_is_explained_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    root = str(tmp_path / "file" / "out")
    with refused(f"cannot write {root}/a", "Not a directory"):
        storage.write_bytes(root, f"{root}/a", b"data")


def test_an_unknown_filesystem_is_explained_in_one_line() -> None:
    for attempt in (storage.exists, storage.read_bytes, storage.list_names, storage.delete):
        with refused("cannot reach nowhere://x/a"):
            attempt("nowhere://x/a")


def test_names_that_begin_with_a_dot_are_not_listed(tmp_path: Path) -> None:
    for name in ("b", ".hidden", "a"):
        (tmp_path / name).write_bytes(b"")
    assert storage.list_names(str(tmp_path)) == ["a", "b"]
    assert storage.list_names(str(tmp_path / "none")) == []


def test_only_our_own_unfinished_files_are_cleared(tmp_path: Path) -> None:
    storage.clear_temporary(str(tmp_path))
    folder = tmp_path / ".tmp"
    folder.mkdir()
    (folder / f".{'0a' * 16}").write_bytes(b"half")
    storage.clear_temporary(str(tmp_path))
    assert not folder.exists()
    folder.mkdir()
    (folder / f".{'0a' * 16}").write_bytes(b"half")
    (folder / "mine.txt").write_bytes(b"somebody's")
    storage.clear_temporary(str(tmp_path))
    assert [p.name for p in folder.iterdir()] == ["mine.txt"]


def test_only_an_empty_folder_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for name in ("full", "empty", "none"):
        storage.delete_empty(str(tmp_path / name))
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


def test_paths_are_joined_with_one_slash() -> None:
    assert storage.join("/a/", "b", "c.json") == "/a/b/c.json"
    assert storage.join("s3://b/out", "x") == "s3://b/out/x"
    assert [remote.is_remote(p) for p in ("/a", "a", "gs://b/a", "C:/a")] == [0, 0, 1, 0]


def test_remote_shards_are_found_planned_and_read(root: str) -> None:
    data = b"".join(b"line %d\n" % i for i in range(100))
    FILES.update({"memory://in/a.txt": data, "memory://in/b.txt": b"b\n", "memory://in/c.gz": b""})
    assert expand_inputs(["memory://in/*.txt"]).paths == ["memory://in/a.txt", "memory://in/b.txt"]
    assert stat_shard("memory://in/a.txt") == Shard("memory://in/a.txt", len(data), 1000.5)
    run = make_settings(block_size=100)
    plan = plan_shard(Layout(root), "memory://in/a.txt", run)
    assert (plan.damaged, plan.lines) == (None, 100)
    assert plan == plan_shard(Layout(root), "memory://in/a.txt", run)
    tables = read_blocks(plan.shard, plan.blocks[2:4], run)
    raw = [line for table in tables for line in table["raw"].to_pylist()]
    start, stop = plan.blocks[2].start, plan.blocks[4].start
    assert b"\n".join(raw) + b"\n" == data[start:stop]
    assert plan_shard(Layout(root), "memory://in/c.gz", run).damaged is not None
    assert plan_shard(Layout(root), "memory://in/gone.txt", run).unread is not None


@pytest.mark.parametrize("name", ["parquet", "tfrecord"])
def test_a_block_is_committed_to_a_remote_folder(root: str, name: str) -> None:
    layout, run = Layout(root), make_settings(format=name)
    embedded = embedded_block(normalized(raw_block([b"one two", b"\xff"]), run), run)
    accounts = write_block(layout, run, embedded)
    assert is_done(layout, run, embedded.block.key)
    part = storage.read_bytes(storage.join(layout.parts, f"{embedded.block.key.stem}.{name}"))
    assert part is not None
    assert len(part) == accounts.bytes > 0
    assert embedded.block.key.pieces[0].block == Block(0, 10, 0, 2)
    assert len(storage.list_names(layout.rejects)) == 1
