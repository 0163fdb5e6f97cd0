"""The house: imports go down only, and no file is longer than 300 lines."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("elmo", "transforms", "pipeline")  # from the ground up
NOT_IN_ELMO = ("apache_beam", "pyarrow")
LONGEST = 300


def imported(source: str, package: str) -> Iterator[str]:
    """Every module that a file of a package imports, wherever in the file, absolute or not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            base = above[: len(above) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module:
                yield module
            # `from package import module`, and `from .. import pipeline` above the package
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            first = node.args[0]
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield str(first.value)


def forbidden(source: str, package: str) -> list[str]:
    """The imports that climb, and Beam's or Arrow's in elmo."""
    floor = package.split(".")[0]
    higher = FLOORS[FLOORS.index(floor) + 1 :]
    names = (*higher, *(NOT_IN_ELMO if floor == "elmo" else ()))
    return sorted({m for m in imported(source, package) if m.split(".")[0] in names})


def python_files() -> list[Path]:
    """The project's Python files: those in git and those about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.splitlines()]
    else:  # no clone, but an unpacked archive
        folders = (*FLOORS, "tests", "scripts")
        found = [p for folder in folders for p in (ROOT / folder).rglob("*.py")]
    return [path for path in found if path.is_file()]


def package_of(path: Path) -> str:
    """The dotted package of a file."""
    return ".".join(path.relative_to(ROOT).parent.parts)


def test_no_import_climbs() -> None:
    files = [p for p in python_files() if p.relative_to(ROOT).parts[0] in FLOORS]
    assert {p.relative_to(ROOT).parts[0] for p in files} == set(FLOORS)
    assert len(files) > 30
    climbing = {
        str(path.relative_to(ROOT)): found
        for path in files
        if (found := forbidden(path.read_text(encoding="utf-8"), package_of(path)))
    }
    assert climbing == {}


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("elmo", "import transforms", ["transforms"]),
        ("elmo", "import json, pipeline.cli as c", ["elmo_beam.pipeline.cli"]),
        ("elmo", "import apache_beam as beam", ["apache_beam"]),
        ("elmo", "import pyarrow.parquet", ["pyarrow.parquet"]),
        ("elmo", "from pyarrow import Table", ["pyarrow", "pyarrow.Table"]),
        ("transforms", "import pipeline", ["pipeline"]),
        ("transforms", "def f():\n    if x:\n        import pipeline.graph", ["elmo_beam.transforms.embed_shards"]),
        ("transforms", "from pipeline.cli import main", ["elmo_beam.pipeline.cli", "elmo_beam.pipeline.cli.main"]),
        ("transforms", "from .. import pipeline", ["pipeline"]),
        ("transforms", "from ..pipeline import cli", ["pipeline", "elmo_beam.pipeline.cli"]),
        ("elmo_beam.transforms.deep", "from ...pipeline import x", ["pipeline", "elmo_beam.pipeline.x"]),
        ("transforms", "try:\n    import pipeline\nexcept ImportError:\n    x = 1", ["pipeline"]),
        (
            "transforms",
            "import importlib\nimportlib.import_module('elmo_beam.pipeline.cli')",
            ["elmo_beam.pipeline.cli"],
        ),
        ("elmo", "__import__('transforms')", ["transforms"]),
    ],
)
def test_the_check_sees_an_import_that_climbs(
    package: str, source: str, expected: list[str]
) -> None:
    assert forbidden(source, package) == expected


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("pipeline", "import elmo, transforms.read, pipeline.cli, apache_beam, pyarrow"),
        ("transforms", "from elmo.errors import UserError\nimport apache_beam, pyarrow"),
        ("transforms", "from . import pipeline_of_mine\nfrom .read import pipeline"),
        ("elmo", "import transformers, pipelines, numpy\nfrom . import tree"),
        ("elmo", "'import transforms'  # import pipeline"),
    ],
)
def test_the_check_lets_other_imports_be(package: str, source: str) -> None:
    assert forbidden(source, package) == []


def too_long(text: str) -> bool:
    return len(text.splitlines()) > LONGEST


def test_no_file_is_longer_than_300_lines() -> None:
    files = python_files()
    assert Path(__file__) in files
    lengths = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in files}
    assert [name for name, text in lengths.items() if too_long(text)] == []


def test_the_check_sees_a_file_that_is_too_long() -> None:
    assert not too_long("x\n" * LONGEST)
    assert too_long("x\n" * (LONGEST + 1))
