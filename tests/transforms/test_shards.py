"""Which files `inputs` names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.transforms.inputs.shards import Shard, Unread, expand_inputs, stat_shard
from elmo_beam.transforms.inputs.text_stream import check_magic
from tests.helpers.blocks import write_shard
from tests.helpers.memory_files import FILES
from tests.helpers.refusal import refused


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with some files in it."""
    for name in ("b.txt", "a.txt", "x[1].txt", "x1.txt", "deep/c.txt", "deep/er/d.txt", "e.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path, *patterns: str) -> list[str]:
    """What the patterns name, below the folder."""
    found = expand_inputs(list(patterns))
    assert all(os.path.isabs(path) for path in found)
    return [os.path.relpath(path, folder) for path in found]


def test_a_relative_path_is_made_absolute(folder: Path) -> None:
    assert expand_inputs(["a.txt"]) == [str(folder / "a.txt")]
    assert expand_inputs(["./deep/../a.txt"]) == [str(folder / "a.txt")]
    assert expand_inputs([str(folder / "a.txt")]) == [str(folder / "a.txt")]


def test_a_glob_names_files_sorted_and_no_folders(folder: Path) -> None:
    assert names(folder, "*.txt") == ["a.txt", "b.txt", "x1.txt", "x[1].txt"]
    assert names(folder, "*") == ["a.txt", "b.txt", "e.gz", "x1.txt", "x[1].txt"]
    assert names(folder, "[ab].txt") == ["a.txt", "b.txt"]
    assert names(folder, f"{folder}/?.gz") == ["e.gz"]


def test_two_stars_reach_into_every_folder(folder: Path) -> None:
    everywhere = ["a.txt", "b.txt", "deep/c.txt", "deep/er/d.txt", "x1.txt", "x[1].txt"]
    assert names(folder, "**/*.txt") == everywhere
    assert names(folder, "deep/**") == ["deep/c.txt", "deep/er/d.txt"]


def test_a_path_that_exists_is_taken_literally(folder: Path) -> None:
    assert names(folder, "x[1].txt") == ["x[1].txt"]
    (folder / "x[1].txt").unlink()
    assert names(folder, "x[1].txt") == ["x1.txt"]
    (folder / "*").write_bytes(b"a star\n")
    assert names(folder, "*") == ["*"]


def test_files_named_twice_count_once(folder: Path) -> None:
    assert names(folder, "a.txt", "./a.txt", f"{folder}/a.txt", "a*") == ["a.txt"]
    assert names(folder, "b.txt", "[ab].txt") == ["a.txt", "b.txt"]


def test_a_glob_works_in_a_folder_whose_name_looks_like_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = folder / "run [1]"
    inside.mkdir()
    (inside / "a.txt").write_bytes(b"text\n")
    monkeypatch.chdir(inside)
    assert expand_inputs(["a.txt"]) == [str(inside / "a.txt")]
    assert expand_inputs(["*.txt"]) == [str(inside / "a.txt")]


@pytest.mark.parametrize("pattern", ["none.txt", "*.parquet", "nowhere/*.txt", "deep/e?"])
def test_what_names_no_file_is_refused(folder: Path, pattern: str) -> None:
    with refused(f"`inputs` {pattern}"):
        expand_inputs(["a.txt", pattern])


@pytest.mark.parametrize("pattern", ["deep", "deep/", ".", "deep/er"])
def test_a_folder_is_refused_with_what_to_write_instead(folder: Path, pattern: str) -> None:
    with refused(f"`inputs` {pattern} is a folder", "*.txt"):
        expand_inputs([pattern])


def test_a_name_that_is_not_text_is_refused(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/caf\xe9.md", "wb") as file:
        file.write(b"text\n")
    (folder / "two\nlines.md").write_bytes(b"text\n")
    for pattern in ("caf*.md", "two*.md"):
        with refused("`inputs`", "rename the file"):
            expand_inputs([pattern])


def test_names_in_any_script_are_taken(folder: Path) -> None:
    for name in ("größe.md", "日本語.md", "with space.md", "a=1&b,c#d%20.md", "'quoted\".md"):
        (folder / name).write_bytes(b"text\n")
        assert names(folder, name) == [name]
    assert len(names(folder, "*.md")) == 5


def test_a_broken_link_is_named_and_left_to_the_plan(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder / "gone")
    assert names(folder, "link.txt") == ["link.txt"]


def test_an_unknown_address_is_refused_in_one_line() -> None:
    with refused("nowhere://x/*.txt"):
        expand_inputs(["nowhere://x/*.txt"])


def test_a_remote_name_that_looks_like_a_glob_is_taken_literally_too() -> None:
    FILES.update({f"memory://in/{name}": name.encode() for name in ("x[1].txt", "x1.txt", "y[1]")})
    try:
        assert expand_inputs(["memory://in/*.txt"]) == [
            "memory://in/x1.txt",
            "memory://in/x[1].txt",
        ]
        assert stat_shard("memory://in/y[1]").size == 4
        assert stat_shard("memory://in/x[1].txt").size == 8
        assert expand_inputs(["memory://in/x[1].txt"]) == ["memory://in/x[1].txt"]
    finally:
        FILES.clear()


def test_a_shard_is_its_path_size_and_time(folder: Path) -> None:
    path = write_shard(folder / "new.txt", b"123456")
    os.utime(path, (1.5, 1234567890.25))  # does not hide that the file has changed
    assert stat_shard(path) == Shard(path, 6, os.stat(path).st_ctime)
    with pytest.raises(Unread, match="No such file"):
        stat_shard(str(folder / "gone"))
    with pytest.raises(Unread, match="nowhere"):
        stat_shard("nowhere://x/a.txt")


@pytest.mark.parametrize("head", [b"", b"\x1f", b"PAR", b"text", b"BZh", b"BZh9 and so on"])
def test_text_begins_with_no_magic_number(head: bytes) -> None:
    check_magic(head)


def test_a_cause_is_one_line() -> None:
    assert cause_of(OSError(2, "No such file", "/a")) == "No such file"
    assert cause_of(OSError(5, "cannot read (\nerrno = 5)")) == "cannot read ("
    assert cause_of(ValueError("first\nsecond")) == "first"
    assert cause_of(KeyError()) == "KeyError"
    assert cause_of(UserError("plain")) == "plain"
