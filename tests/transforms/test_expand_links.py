"""Each real file is an input once, and what lies in the output is none."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.expand import expand_inputs
from tests.helpers.memory_files import FILES
from tests.helpers.refusal import refused


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two files in `data`."""
    for name in ("data/a.txt", "data/sub/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"text\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def link(path: str, to: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).symlink_to(to)


def named(folder: Path, *patterns: str, output: str | None = None) -> tuple[list[str], list[str]]:
    """What the patterns name, and the other paths to it, below the folder."""
    inputs = expand_inputs(patterns, output)
    below = [[os.path.relpath(p, folder) for p in paths] for paths in (inputs.paths, inputs.others)]
    return below[0], below[1]


BOTH = ["data/a.txt", "data/sub/b.txt"]


@pytest.mark.parametrize("target", [".", "..", "sub", "../data"])
def test_a_loop_of_links_is_not_gone_round(folder: Path, target: str) -> None:
    link("data/loop", target)
    back = "data/loop/data" if target == ".." else "data/loop"
    assert named(folder, "data/**/*.txt") == (BOTH, [back])
    assert named(folder, "**/*.txt") == (BOTH, ["data/loop"])


def test_many_loops_end_too(folder: Path) -> None:
    """Each turn multiplies the paths: glob would need 2**40 of them."""
    for i in range(8):
        link(f"data/up{i}", "..")
        link(f"data/sub/here{i}", ".")
    assert named(folder, "**/*.txt")[0] == BOTH
    assert named(folder, "**/sub/**/*.txt")[0] == ["data/sub/b.txt"]


@pytest.mark.parametrize("pattern", ["*/*.txt", "*/**/*.txt", "**/*.txt", "**", "*/*"])
def test_a_linked_folder_does_not_double_the_corpus(folder: Path, pattern: str) -> None:
    link("latest", "data")
    (folder / "data" / "sub" / "b.txt").unlink()
    paths, others = named(folder, pattern)
    assert paths == ["data/a.txt"]
    assert len(others) == 1 and others[0].startswith("latest")


def test_of_several_paths_the_plainest_counts(folder: Path) -> None:
    link("a-link.txt", "data/a.txt")
    link("z", "data/sub")
    link("long", "data/sub")
    link("data/y", "../z")
    assert named(folder, "data/a.txt", "a-link.txt") == (["data/a.txt"], ["a-link.txt"])
    assert named(folder, "long/b.txt", "z/b.txt")[0] == ["z/b.txt"]
    assert named(folder, "data/y/b.txt", "long/b.txt")[0] == ["long/b.txt"]  # one link each
    assert named(folder, "l*/*.txt")[0] == ["long/b.txt"]
    link("more", "z")
    assert named(folder, "?/**/*.txt", "more/*.txt") == (["z/b.txt"], ["more/b.txt"])


def test_a_file_that_only_links_lead_to_is_found(folder: Path) -> None:
    os.rename("data", ".elsewhere")
    link("in/one.txt", "../.elsewhere/a.txt")
    link("in/folder", "../.elsewhere")
    assert named(folder, "in/**/*.txt") == (
        ["in/folder/sub/b.txt", "in/one.txt"],
        ["in/folder/a.txt"],
    )


def test_hard_links_are_files_of_their_own(folder: Path) -> None:
    os.link("data/a.txt", "data/c.txt")
    assert named(folder, "data/*.txt") == (["data/a.txt", "data/c.txt"], [])


def test_links_that_lead_nowhere_are_named_once_each(folder: Path) -> None:
    link("data/gone.txt", "nowhere")
    link("data/self.txt", "self.txt")
    link("data/self", "self")
    assert named(folder, "data/*.txt")[0] == ["data/a.txt", "data/gone.txt", "data/self.txt"]
    assert named(folder, "**/*.txt")[0] == ["data/a.txt", *named(folder, "data/**/*.txt")[0][1:]]


@given(
    st.lists(st.lists(st.sampled_from(["a", "b.txt", ".h", "[x]", "**"]), min_size=1, max_size=4)),
    st.lists(st.sampled_from(["*", "**", "a", "?.txt", "*.txt", ".*"]), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_links_patterns_name_what_glob_says(
    tmp_path_factory: pytest.TempPathFactory, trees: list[list[str]], parts: list[str], full: bool
) -> None:
    """The paths are those of earlier versions, so that their runs continue."""
    root = tmp_path_factory.mktemp("tree")
    for tree in trees:
        path = root.joinpath(*tree)
        if not any(p.is_file() for p in (path, *path.parents)) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"text\n")
    before = os.getcwd()
    os.chdir(root)
    try:
        pattern = "/".join([str(root)] * full + parts)
        if os.path.lexists(pattern):
            return
        found = glob.glob(pattern, recursive=True)
        # Of a folder that does not exist glob finds `folder/**`, too.
        wanted = sorted({os.path.abspath(path) for path in found if os.path.isfile(path)})
        if wanted:
            assert (expand_inputs([pattern]).paths, expand_inputs([pattern]).others) == (wanted, [])
        else:
            with refused("matches no file"):
                expand_inputs([pattern])
    finally:
        os.chdir(before)


@pytest.mark.parametrize("output", ["out", "./out/", "data/../out", "data/out"])
def test_what_lies_in_the_output_is_left_out(folder: Path, output: str) -> None:
    for name in ("rejects/r.jsonl", "report.txt", "deep/er/x.txt"):
        path = folder / output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text\n")
    (folder / f"{output.rstrip('/')}put").mkdir()
    beside = folder / f"{output.rstrip('/')}put" / "c.txt"  # begins alike
    beside.write_bytes(b"text\n")
    wanted = sorted([*BOTH, os.path.relpath(os.path.abspath(beside), folder)])
    for pattern in ("**/*.txt", "**", f"{folder}/**/*"):
        assert named(folder, pattern, output=output) == (wanted, [])
        assert named(folder, pattern, output=str(folder / output))[0] == wanted


def test_links_into_the_output_and_an_output_behind_a_link(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "vocab.txt").write_bytes(b"text\n")
    link("out", "real")
    link("data/vocab.txt", "../real/vocab.txt")
    for output in ("out", "real"):
        assert named(folder, "**/*.txt", output=output)[0] == BOTH
        for literal in ("data/vocab.txt", "out/vocab.txt", "real/vocab.txt"):
            with refused(f"`inputs` {literal} lies in `output` {output}"):
                expand_inputs(["data/a.txt", literal], output)


def test_an_output_around_all_inputs_is_refused(folder: Path) -> None:
    for output in (".", "data", "/"):
        with refused("`inputs` data/*.txt matches only files in `output`", "another folder"):
            expand_inputs(["data/*.txt"], output)
    with refused("`inputs` data/a.txt lies in `output` data/a.txt"):
        expand_inputs(["data/a.txt"], "data/a.txt")


def test_a_remote_output_is_no_input(folder: Path) -> None:
    names = ("in/a.txt", "in/out/parts/a.txt", "in/outer/a.txt")
    FILES.update({f"memory://{name}": b"text\n" for name in names})
    try:
        for output in ("memory://in/out", "memory://in/out/"):
            found = expand_inputs(["memory://in/**.txt"], output).paths
            assert found == ["memory://in/a.txt", "memory://in/outer/a.txt"]
            with refused("lies in `output` memory://in/out"):
                expand_inputs(["memory://in/out/parts/a.txt"], output)
        assert named(folder, "data/*.txt", output="memory://in/out")[0] == ["data/a.txt"]
    finally:
        FILES.clear()
