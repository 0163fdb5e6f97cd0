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

DOCUMENTS = ("README.md", "docs/models.md", "docs/python.md", "docs/beam.md", "docs/keras.md")
# One process for all of them, since importing TensorFlow and Beam takes ten seconds.
RUNNER = """
import json, os, sys
for name, source in json.load(sys.stdin):
    folder = os.path.join("work", name)
    os.makedirs(folder)
    here = os.getcwd()
    for link in ("shards", "a", "b"):
        os.symlink(os.path.join(here, link), os.path.join(folder, link))
    os.chdir(folder)
    exec(compile(source, name, "exec"), {"__name__": "document"})
    os.chdir(here)
    print("ran", name)
"""


def python_of(document: str, data: Path) -> str:
    """A document's Python blocks, each on the lines where they are printed."""
    text = (ROOT / document).read_text(encoding="utf-8").replace('"/data/', f'"{data}/')
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            line = ""
        lines.append(line if inside else "")
    return "\n".join(lines) + "\n"


def test_every_block_runs(tmp_path: Path) -> None:
    for name in ("transforms.py", "elmo.py", "pipeline/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('the wrong module')\n")
    text = b"The bank of the river. Money in the bank.\n"
    for name in ("shards/1.txt.gz", "a/1.txt.gz", "data/a.txt.gz", "data/b.txt.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(text))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.jsonl").write_text('{"body": "A seal."}\nnot JSON\n')
    blocks = [(name, python_of(name, tmp_path / "data")) for name in DOCUMENTS]
    (tmp_path / "run_documents.py").write_text(RUNNER)
    ran = subprocess.run(
        [sys.executable, "run_documents.py"],
        input=json.dumps(blocks),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert [line for line in ran.stdout.splitlines() if line.startswith("ran ")] == [
        f"ran {name}" for name in DOCUMENTS
    ]
    assert "The bank of the river. (256,)" in ran.stdout  # what docs/beam.md prints


@pytest.mark.parametrize("document", sorted(p.name for p in (ROOT / "docs").glob("*.md")))
def test_readme_links_to_every_page(document: str) -> None:
    assert f"docs/{document}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
    missing = []
    for page in [*pages, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", page.read_text("utf-8")):
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
        source = python_of(name, Path("/data"))
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
