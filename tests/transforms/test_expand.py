"""Which files `inputs` names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.expand import expand_inputs
from elmo_beam.transforms.inputs.shards import Damaged, stat_shard
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
    found = expand_inputs(list(patterns)).paths
    assert all(os.path.isabs(path) for path in found)
    return [os.path.relpath(path, folder) for path in found]


def test_a_relative_path_is_made_absolute(folder: Path) -> None:
    assert expand_inputs(["a.txt"]).paths == [str(folder / "a.txt")]
    assert expand_inputs(["./deep/../a.txt"]).paths == [str(folder / "a.txt")]
    assert expand_inputs([str(folder / "a.txt")]).paths == [str(folder / "a.txt")]


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
    assert expand_inputs(["a.txt"]).paths == [str(inside / "a.txt")]
    assert expand_inputs(["*.txt"]).paths == [str(inside / "a.txt")]


@pytest.mark.parametrize("pattern", ["none.txt", "*.parquet", "nowhere/*.txt", "deep/e?"])
def test_what_names_no_file_is_refused(folder: Path, pattern: str) -> None:
    with refused(f"`inputs` {pattern}"):
        expand_inputs(["a.txt", pattern])


@pytest.mark.parametrize("pattern", ["deep", "deep/", ".", "deep/er"])
def test_a_folder_is_refused_with_what_to_write_instead(folder: Path, pattern: str) -> None:
    with refused(f"`inputs` {pattern} is a folder", "*.txt"):
        expand_inputs([pattern])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.md", r"caf\xe9.md"),
        (b"two\nlines.md", r"two\x0alines.md"),
        (b"\x1b[31mred.md", r"\x1b[31mred.md"),
        ("next\u2028line.md".encode(), r"next\xe2\x80\xa8line.md"),
        ("\x85.md".encode(), r"\xc2\x85.md"),
        (b"\tit's \\.md", r"\x09it\x27s \x5c.md"),
    ],
)
def test_a_name_that_cannot_be_written_costs_only_that_file(
    folder: Path, name: bytes, shown: str
) -> None:
    with open(os.fsencode(folder) + b"/" + name, "wb") as file:
        file.write(b"text\n")
    write_shard(folder / "good.md", b"text\n")
    quoted = f"$'{folder}/{shown}'"
    for patterns in (["*.md"], [os.fsdecode(name), "good.md"]):
        assert expand_inputs(patterns).paths == [quoted, str(folder / "good.md")]
    with pytest.raises(Damaged, match="rename the file"):
        stat_shard(quoted)


@pytest.mark.parametrize("name", [b"a\tb.md", b"caf\xe9.md", b"\xc2\x85.md"])
def test_a_name_that_cannot_be_written_hides_no_other_file(folder: Path, name: bytes) -> None:
    escaped = "".join(f"\\x{byte:02x}" if byte < 32 or byte > 126 else chr(byte) for byte in name)
    for other in (name, escaped.encode(), escaped.replace("\\", "\\x5c").encode()):
        with open(os.fsencode(folder) + b"/" + other, "wb") as file:
            file.write(b"text\n")
    quoted, *literal = expand_inputs(["*.md"]).paths
    assert quoted == f"$'{folder}/{escaped}'"
    assert sorted(map(os.fsencode, literal)) == sorted(
        os.fsencode(folder / other) for other in (escaped, escaped.replace("\\", "\\x5c"))
    )
    for path in literal:
        assert stat_shard(path).size == 5


def test_a_byte_that_is_not_utf8_is_not_the_character_of_its_number(folder: Path) -> None:
    for name in (b"\x85.md", "\x85.md".encode()):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(b"text\n")
    assert len(set(expand_inputs(["*.md"]).paths)) == 2


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(NAMES.filter(lambda name: len(name.encode()) < 200 and name not in (".", "..")))
@example("a\u3000b")
@example("a\xa0b\u2009\u200b\u202e\ue000\U000e0100")
@example(r"a\x0ab")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_name_of_any_characters_is_one_line_and_names_the_file_or_nothing(
    folder: Path, name: str
) -> None:
    path = folder / name
    path.write_bytes(b"text\n")
    try:
        [found] = expand_inputs([str(path)]).paths
        assert found.encode().decode().splitlines() == [found] and "\x1b" not in found
        breaks = any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in name)
        assert (found == str(path)) is not breaks
    finally:
        path.unlink()


def test_names_in_any_script_are_taken(folder: Path) -> None:
    spaced = ("ideographic\u3000space.md", "no\xa0break.md", "emoji 🫩.md")
    plain = ("größe.md", "日本語.md", "with space.md", "a=1&b,c#d%20.md", "'quoted\".md")
    for name in (*plain, *spaced):
        (folder / name).write_bytes(b"text\n")
        assert names(folder, name) == [name]
    assert names(folder, "*.md") == sorted([*plain, *spaced])


def test_a_broken_link_is_named_and_left_to_the_plan(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder / "gone")
    assert names(folder, "link.txt") == ["link.txt"]


def test_an_unknown_address_is_refused_in_one_line() -> None:
    with refused("nowhere://x/*.txt"):
        expand_inputs(["nowhere://x/*.txt"])


def test_a_remote_name_that_looks_like_a_glob_is_taken_literally_too() -> None:
    FILES.update({f"memory://in/{name}": name.encode() for name in ("x[1].txt", "x1.txt", "y[1]")})
    try:
        assert expand_inputs(["memory://in/*.txt"]).paths == [
            "memory://in/x1.txt",
            "memory://in/x[1].txt",
        ]
        assert stat_shard("memory://in/y[1]").size == 4
        assert stat_shard("memory://in/x[1].txt").size == 8
        assert expand_inputs(["memory://in/x[1].txt"]).paths == ["memory://in/x[1].txt"]
    finally:
        FILES.clear()
