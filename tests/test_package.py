"""What is installed and imported: one package, whichever way, that leaves the process as it is."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from readme_renderer import markdown
from twine.commands.check import check

import elmo_beam
from tests.helpers.command import ROOT

FLOORS = ("elmo", "transforms", "pipeline")
SOURCE = ROOT / "src"


def project_files() -> list[Path]:
    """What git tracks or is about to, without the settings of tools; of an archive, its files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.stdout:
        found = [Path(name) for name in listed.stdout.splitlines() if os.path.lexists(ROOT / name)]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return [p for p in found if p.parts[0][0] != "." and "__pycache__" not in p.parts]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, since packaging leaves build folders behind."""
    folder = tmp_path_factory.mktemp("source")
    for path in project_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path, follow_symlinks=False)
    return folder


def build(source: Path, kind: str, out: Path) -> Path:
    """An archive by setuptools' own build hooks, as pip and build call them."""
    out.mkdir(exist_ok=True)
    code = f"from setuptools.build_meta import build_{kind} as b; b({str(out)!r})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    (archive,) = out.iterdir()
    return archive


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return sorted(file.namelist())


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, "wheel", tmp_path_factory.mktemp("dist") / "wheel")


def test_a_wheel_holds_one_package(wheel: Path) -> None:
    found = names(wheel)
    assert {name.split("/")[0] for name in found} == {"elmo_beam", "elmo_beam-0.1.0.dist-info"}
    assert "elmo_beam/py.typed" in found and "elmo_beam/elmo/default/weights.hdf5" in found
    modules = {
        path.relative_to(SOURCE).as_posix()
        for floor in FLOORS
        for path in (SOURCE / "elmo_beam" / floor).rglob("*.py")
    }
    assert len(modules) > 80 and modules <= set(found)
    assert {f"elmo_beam/pipeline/report/page.{kind}" for kind in ("css", "js")} <= set(found)


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as file:
        assert not [member.name for member in file if member.issym() or member.islnk()]
        file.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def test_a_source_archive_has_every_file(unpacked: Path) -> None:
    """Tests, documents and scripts included; the floors are in src/, where the links were."""
    missing = [
        str(path)
        for path in project_files()
        if not (unpacked / path).is_file()
        and not (ROOT / path).is_symlink()
        and not (path.parts[0] in FLOORS and (unpacked / "src" / "elmo_beam" / path).is_file())
    ]
    assert missing == []


def test_a_source_archive_gives_the_same_wheel(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    assert names(build(unpacked, "wheel", tmp_path / "again")) == names(wheel)


def test_the_tests_of_a_source_archive_run(unpacked: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, "tests/test_floors.py"],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked / "src")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-2000:]


def test_an_index_takes_both_archives(wheel: Path, sdist: Path) -> None:
    assert not check([str(wheel), str(sdist)], strict=True)


def test_what_an_index_shows_has_no_link_into_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        text = file.read(name).decode("utf-8").partition("\n\n")[2]
    page = markdown.render(text)
    assert page is not None and "<h2" in page and "<table>" in page
    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert addresses
    # Those that begin with # are the renderer's, of its own headings.
    assert [one for one in addresses if not re.match(r"https://|#user-content-", one)] == []
    assert "Formats (docs/formats.md) has TFRecord" in text
    assert "](" not in re.sub(r"\]\(https://", "", text)


def test_an_editable_install_is_one_path(source: Path, tmp_path: Path) -> None:
    editable = build(source, "editable", tmp_path / "editable")
    with zipfile.ZipFile(editable) as file:
        paths = [file.read(n).decode() for n in file.namelist() if n.endswith(".pth")]
    assert [path.strip() for path in paths] == [str(source / "src")]
    assert sorted(p.name for p in (source / "src").iterdir() if "." not in p.name) == ["elmo_beam"]


def test_an_installed_wheel_works_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import elmo_beam; "
        "from elmo_beam.elmo.formats.handles import read_weights; "
        "print(elmo_beam.__file__, read_weights('default').digest)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported, digest = ran.stdout.split()
    assert Path(imported).parent == tmp_path / "site" / "elmo_beam" and len(digest) == 64


@pytest.mark.parametrize("name", elmo_beam.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(elmo_beam, name)
    assert name in dir(elmo_beam)
    assert name == "__version__" or value.__doc__


def test_editors_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "src" / "elmo_beam" / "__init__.py").read_text())
    typed = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("elmo_beam")
        for alias in node.names
    }
    assert {*typed, "__version__"} == set(elmo_beam.__all__)
    assert len(elmo_beam.__all__) == len(set(elmo_beam.__all__))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = elmo_beam.nothing


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, elmo_beam; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "tensorflow", "keras", "apache_beam", "pyarrow", "h5py", "pandas"}
    assert not heavy & set(ran.stdout.split())


PURE = """
import logging, os, sys
import apache_beam, h5py, keras, pyarrow, sacremoses, tensorflow as tf

def state():
    return {
        "environment": dict(os.environ),
        "descriptors": [os.fstat(n)[:3] for n in (0, 1, 2)],
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "tensorflow": tf.get_logger().level,
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "path": list(sys.path),
    }

before = state()
assert before["tf32"]
import elmo_beam
for name in elmo_beam.__all__:
    getattr(elmo_beam, name)
    after = state()
    assert after == before, (name, [k for k in before if before[k] != after[k]])
elmo_beam.load_encoder().encode([["The", "bank"]])
elmo_beam.TextEncoder().encode(["The bank."])
assert state() == before
print("unchanged")
"""


def test_public_names_leave_the_process_as_it_is() -> None:
    ran = subprocess.run([sys.executable, "-c", PURE], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "unchanged\n"), ran.stderr[-2000:]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose modules have the names of ours, of libraries and of Python's own."""
    folder = tmp_path / "hostile"
    for name in (
        "transforms", "elmo", "pipeline/__init__", "numpy", "json", "pyarrow", "tensorflow"
    ):  # fmt: skip
        (folder / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    (folder / "a.txt").write_text("The bank.\n")
    return folder


@pytest.mark.parametrize(
    ("start", "command"),
    [
        ([str(Path(sys.executable).with_name("elmo-beam"))], ["plan"]),
        (
            [sys.executable, "-m", "elmo_beam"],
            ["embed", "--direct_running_mode", "multi_processing", "--direct_num_workers", "1"],
        ),
    ],
)
def test_the_command_and_its_workers_ignore_the_current_folder(
    start: list[str], command: list[str], hostile: Path
) -> None:
    kept = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    words = [*start, *command, "--input", "a.txt", "--output", "out"]
    ran = subprocess.run(words, cwd=hostile, env=kept, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (hostile / "out" / "_SUCCESS").exists() == (command[0] == "embed")
