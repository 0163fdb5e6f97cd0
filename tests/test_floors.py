"""The house: imports go down only, in no circle, under one name, and no file exceeds 300 lines."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
FLOORS = ("elmo", "transforms", "pipeline")  # from the ground up
NOT_IN_ELMO = ("apache_beam", "pyarrow")
PACKAGE = "elmo_beam"
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


def climbing(source: str, package: str) -> list[str]:
    """The imports that climb a floor, and Beam's or Arrow's in elmo."""
    floor = package.split(".")[1]
    higher = [f"{PACKAGE}.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :]]
    names = (*higher, *(NOT_IN_ELMO if floor == "elmo" else ()))
    return sorted(
        {m for m in imported(source, package) if f"{m}.".startswith(tuple(n + "." for n in names))}
    )


def bare(source: str) -> list[str]:
    """The imports of a floor by its folder's name alone."""
    return sorted({m for m in imported(source, "") if m.split(".")[0] in FLOORS})


def floor_paths() -> list[Path]:
    """The modules of the floors, as src/ has them: through links, or in an archive."""
    return [path for floor in FLOORS for path in (SOURCE / PACKAGE / floor).rglob("*.py")]


def python_files() -> list[Path]:
    """The project's Python files."""
    others = [ROOT / name for name in ("docs", "examples", "scripts", "tests")]
    below = [path for folder in others for path in folder.rglob("*.py")]
    return [*ROOT.glob("*.py"), *(SOURCE / PACKAGE).glob("*.py"), *floor_paths(), *below]


def floor_files() -> dict[str, str]:
    """The source of every module of the floors, by its full name."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in floor_paths()
    }


def package_of(module: str) -> str:
    return module.rpartition(".")[0]


def test_no_import_climbs() -> None:
    files = floor_files()
    assert {module.split(".")[1] for module in files} == set(FLOORS)
    assert len(files) > 80
    found = {m: c for m, source in files.items() if (c := climbing(source, package_of(m)))}
    assert found == {}


def rooms(module: str) -> str:
    """The folder that a module is in; a floor's own files are each a room."""
    parts = module.split(".")
    return ".".join(parts[:3])


def circles(edges: dict[str, set[str]]) -> list[str]:
    """The nodes that can reach themselves."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        stack = list(edges.get(start, ()))
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(edges.get(node, ()))
        return seen

    return sorted(node for node in edges if node in reach(node))


def test_no_circle_among_the_rooms() -> None:
    files = floor_files()
    edges: dict[str, set[str]] = {}
    for module, source in files.items():
        for name in imported(source, package_of(module)):
            target = name if name in files else package_of(name)
            if target in files and rooms(target) != rooms(module):
                edges.setdefault(rooms(module), set()).add(rooms(target))
    assert len(edges) > 10
    assert circles(edges) == []


def test_the_check_sees_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circles({"a": {"b"}, "b": {"c"}}) == []


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("elmo", "import elmo_beam.transforms", ["elmo_beam.transforms"]),
        ("elmo", "import json, elmo_beam.pipeline.cli as c", ["elmo_beam.pipeline.cli"]),
        ("elmo", "import apache_beam as beam", ["apache_beam"]),
        ("elmo", "import pyarrow.parquet", ["pyarrow.parquet"]),
        ("elmo", "from pyarrow import Table", ["pyarrow", "pyarrow.Table"]),
        ("transforms", "from elmo_beam import pipeline", ["elmo_beam.pipeline"]),
        (
            "transforms",
            "def f():\n    if x:\n        import elmo_beam.pipeline.graph",
            ["elmo_beam.pipeline.graph"],
        ),
        ("transforms", "from .. import pipeline", ["elmo_beam.pipeline"]),
        ("transforms", "from ..pipeline import x", ["elmo_beam.pipeline", "elmo_beam.pipeline.x"]),
        ("transforms.deep", "from ... import pipeline", ["elmo_beam.pipeline"]),
        (
            "transforms",
            "try:\n    import elmo_beam.pipeline\nexcept E:\n    x = 1",
            ["elmo_beam.pipeline"],
        ),
        (
            "transforms",
            "import importlib\nimportlib.import_module('elmo_beam.pipeline.cli')",
            ["elmo_beam.pipeline.cli"],
        ),
        ("elmo", "__import__('elmo_beam.transforms')", ["elmo_beam.transforms"]),
    ],
)
def test_the_check_sees_an_import_that_climbs(
    package: str, source: str, expected: list[str]
) -> None:
    assert climbing(source, f"{PACKAGE}.{package}") == expected


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("pipeline", "import elmo_beam.elmo, elmo_beam.transforms.read, apache_beam, pyarrow"),
        ("transforms", "from elmo_beam.elmo.errors import UserError\nimport apache_beam, pyarrow"),
        ("transforms", "from . import pipeline_of_mine\nfrom .read import pipeline"),
        ("elmo", "import transformers, pipelines, numpy\nfrom . import tree"),
        ("elmo", "'import elmo_beam.transforms'  # import elmo_beam.pipeline"),
    ],
)
def test_the_check_accepts_other_imports(package: str, source: str) -> None:
    assert climbing(source, f"{PACKAGE}.{package}") == []


def test_nothing_imports_a_floor_by_its_bare_name() -> None:
    files = python_files()
    assert len(files) > 150
    found = {str(p.relative_to(ROOT)): bare(p.read_text(encoding="utf-8")) for p in files}
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_the_check_sees_a_bare_name() -> None:
    assert bare("from elmo.errors import UserError\nimport transforms") == [
        "elmo.errors",
        "elmo.errors.UserError",
        "transforms",
    ]
    assert bare("from elmo_beam.elmo import errors\nfrom elmo_beam import transforms") == []


def test_no_module_is_imported_under_two_names() -> None:
    """Whatever the tests of this process have imported so far."""
    import elmo_beam.transforms.readers.run  # noqa: F401

    ours = {path.resolve() for path in python_files()}
    names: dict[Path, set[str]] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and (path := Path(file).resolve()) in ours:
            names.setdefault(path, set()).add(name)
    assert len(names) > 10
    assert {file: found for file, found in names.items() if len(found) > 1} == {}


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
