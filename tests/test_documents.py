"""The Python in README and docs/ runs as printed, where a user's own modules are in the way."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import ROOT

DOCUMENTS = (
    "README.md",
    "docs/models.md",
    "docs/python.md",
    "docs/beam.md",
    "docs/keras.md",
    "docs/recipes.md",
)
LIBRARIES = ("torch", "pyspark")  # blocks that import one are left out where it is missing
MIGRATION = "| before | with elmo_beam | what differs |"  # tables whose second column is code
# One process for all of them, since importing TensorFlow and Beam takes ten seconds.
RUNNER = """
import importlib.util, json, os, shlex, sys
from elmo_beam.pipeline.cli import run

def command(line):
    assert run(shlex.split(line)[1:]) == 0, line

libraries = json.loads(sys.argv[1])
for name, blocks in json.load(sys.stdin):
    folder = os.path.join("work", name)
    os.makedirs(folder)
    here = os.getcwd()
    for link in ("shards", "a", "b", "model"):
        os.symlink(os.path.join(here, link), os.path.join(folder, link))
    os.chdir(folder)
    space = {"__name__": "document", "command": command}
    for source in blocks:
        needs = [library for library in libraries if f"from {library}" in source]
        if all(map(importlib.util.find_spec, needs)):
            exec(compile(source, name, "exec"), space)
            print("ran a block with", *needs)
    os.chdir(here)
    print("ran", name)
"""


def python_of(document: str, data: Path) -> list[str]:
    """A document's Python blocks, and the code in its tables, each on the lines where it stands."""
    text = (ROOT / document).read_text(encoding="utf-8").replace('"/data/', f'"{data}/')
    text = text.replace('"https://tfhub.dev/google/elmo/3"', '"default"')
    blocks: list[str] = []
    fence = table = ""
    for number, line in enumerate(text.splitlines()):
        if line.startswith("```"):
            fence = "" if fence else line
        table = line if line == MIGRATION else table * line.startswith("|")
        starts = line in ("```python", MIGRATION)
        if starts:
            blocks.append("\n" * (number + 1))
        elif fence == "```python":
            blocks[-1] += line + "\n"
        elif table:
            blocks[-1] += code_in(line) + "\n"
    return blocks


def code_in(row: str) -> str:
    """The code in the second column of a table's row, if there is any."""
    cell = re.fullmatch(r"`(.+)`", row.split(" | ")[1].strip() if " | " in row else "")
    if cell is None:
        return ""
    return f"command({cell[1]!r})" if cell[1].startswith("elmo-beam ") else cell[1]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What all blocks of all documents print, where a user's own modules are in the way."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("transforms.py", "elmo.py", "pipeline/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise SystemExit('the wrong module')\n")
    text = b"The bank of the river. Money in the bank.\n"
    for name in ("shards/1.txt.gz", "a/1.txt.gz", "data/a.txt.gz", "data/b.txt.gz"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(gzip.compress(text))
    (folder / "b").mkdir()
    (folder / "b" / "1.jsonl").write_text('{"body": "A seal."}\nnot JSON\n')
    (folder / "model").symlink_to(ROOT / "elmo" / "default")
    blocks = [(name, python_of(name, folder / "data")) for name in DOCUMENTS]
    (folder / "run_documents.py").write_text(RUNNER)
    ran = subprocess.run(
        [sys.executable, "run_documents.py", json.dumps(LIBRARIES)],
        input=json.dumps(blocks),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.splitlines()


def test_every_block_runs(printed: list[str]) -> None:
    assert [line for line in printed if line in {f"ran {name}" for name in DOCUMENTS}] == [
        f"ran {name}" for name in DOCUMENTS
    ]
    assert "The bank of the river. (256,)" in printed  # what docs/beam.md prints


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_recipe_with_a_library_that_not_all_have(library: str, printed: list[str]) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    assert f"ran a block with {library}" in printed


def test_the_tables_of_old_code_have_code() -> None:
    lines = "\n".join(python_of("docs/recipes.md", Path("/data"))).splitlines()
    assert sum("load_encoder(" in line for line in lines) >= 4
    assert sum(line.startswith("command('elmo-beam elmo ") for line in lines) == 2


@pytest.mark.parametrize("document", sorted(p.name for p in (ROOT / "docs").glob("*.md")))
def test_readme_links_to_every_page(document: str) -> None:
    assert f"docs/{document}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
    missing = []
    for page in [*pages, *(ROOT / "docs").glob("*.md")]:
        text = re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))  # code may look like a link
        for target in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", text):
            file = (page.parent / target[0]) if target[0] else page
            if not file.exists():
                missing.append(f"{page.name}: {target[0]}")
            elif target[1]:
                titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
                anchors = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
                if target[1] not in anchors:
                    missing.append(f"{page.name}: {target[0]}#{target[1]}")
    assert missing == []


def test_the_documents_import_from_one_place_only() -> None:
    for name in DOCUMENTS:
        source = "\n".join(python_of(name, Path("/data")))
        deeper = re.findall(r"^\s*(?:from|import) +elmo_beam\..*", source, re.M)
        assert deeper == [], name


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 250


def test_git_ignores_what_the_documents_commands_write() -> None:
    """In the clone; their names are read off the pages and the examples."""
    pages = [ROOT / "README.md", ROOT / "scripts" / "quickstart.sh", *(ROOT / "docs").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    written = {name for t in texts for name in re.findall(r"--output ([\w./-]+)(?=\s)", t)}
    for example in (ROOT / "examples").glob("*.py"):
        written |= set(re.findall(r'default=Path\("([^"]+)"\)', example.read_text("utf-8")))
    assert {"vectors", "vectors.txt", "out/sample", "sentiment.svg"} <= written
    command = ["git", "check-ignore", *(f"{n}/" if "." not in n else n for n in sorted(written))]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ignored.returncode == 128:
        pytest.skip("not a clone")
    assert {name.rstrip("/") for name in ignored.stdout.splitlines()} == written
