"""Notebooks: those in docs/ run from their first cell to their last, and Beam works in IPython."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.command import ROOT
from tests.test_documents import python_of

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LARGEST = 200_000  # bytes of a notebook with its pictures
GOOD, BAD = ("wonderful", "charming", "moving"), ("awful", "tedious", "clumsy")
WITHOUT_PANDAS = "import sys; sys.modules['pandas'] = None"
# What a cell begins with. The order decides when Beam is altered, and pandas with which error it
# fails, whatever the order; a process takes 13 s.
FIRST_LINES = {
    "beam first, with pandas": (),
    "elmo_beam first, without pandas": (WITHOUT_PANDAS, "import elmo_beam"),
}


def write_reviews(folder: Path) -> None:
    """Made-up reviews in the place of SST-2, which differ in one word."""
    rng = random.Random(1)
    for part, n in (("train", 60), ("test", 20)):
        with open(folder / f"stsa.binary.{part}", "w", encoding="latin-1") as file:
            for i in range(n):
                word = rng.choice((BAD, GOOD)[i % 2])
                file.write(f"{i % 2} the {rng.choice(('film', 'plot'))} is {word} , naïve .\n")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws(path: Path, tmp_path: Path) -> None:
    write_reviews(tmp_path)
    shutil.copy(path, tmp_path)
    notebook = nbformat.read(tmp_path / path.name, 4)
    drawn = sum("image/png" in str(cell.get("outputs")) for cell in notebook.cells)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    assert drawn == sum("image/png" in str(cell.get("outputs")) for cell in notebook.cells) > 0
    shown = "".join(
        o.text for cell in notebook.cells for o in cell.get("outputs", []) if "text" in o
    )
    assert "of 1 block" in shown  # elmo_beam.embed's progress, which needs no terminal here


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_run_and_without_ballast(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    cells = [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [o for o in outputs if o.get("name") == "stderr" or o["output_type"] == "error"]
    assert "widget" not in path.read_text("utf-8")


@pytest.mark.parametrize("first", FIRST_LINES)
def test_beam_works_in_ipython(first: str, tmp_path: Path) -> None:
    """Whatever is imported first, and with a pandas that Beam's own interactive runner refuses."""
    (block,) = [b for b in python_of("docs/beam.md", tmp_path) if "| RunInference(" in b]
    program = tmp_path / "cell.py"
    program.write_text("\n".join([*FIRST_LINES[first], block]))
    words = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(program)]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert "The bank of the river. (256,)" in ran.stdout, ran.stdout[-2000:] + ran.stderr[-2000:]
