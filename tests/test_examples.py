"""The examples, run as README says, on a small made-up language of reviews."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.helpers.command import ROOT

GOOD, BAD = ("wonderful", "charming", "moving"), ("awful", "tedious", "clumsy")


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    """Flags that name three files of reviews, which differ in one word."""
    rng, flags = random.Random(1), []
    for part, n in (("train", 300), ("dev", 40), ("test", 40)):
        lines = []
        for i in range(n):
            word = rng.choice((BAD, GOOD)[i % 2])
            lines.append(f"{i % 2} the {rng.choice(('film', 'plot', 'cast'))} is {word} , naïve .")
        (tmp_path / part).write_text("\n".join(lines) + "\n", encoding="utf-8")
        flags += [f"--{part}", tmp_path / part]
    return flags


@pytest.mark.parametrize("name", ["sentiment_from_vectors", "sentiment_live"])
def test_it_tells_good_from_bad_and_draws_it(
    name: str, files: list[object], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.svg"
    work = ["--work", tmp_path / "work"] if "from" in name else []
    flags = [*files, "--picture", picture, *work]
    ran = subprocess.run(
        [sys.executable, f"examples/{name}.py", *map(str, flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = dict(re.findall(r"^(\S[^\n]*?)\s+([\d.]+)%$", ran.stdout, re.M))
    assert float(found.pop("bag of words")) == 100.0
    assert found and all(float(value) > 80 for value in found.values()), found
    texts = [node.text for node in ElementTree.parse(picture).iter() if node.tag.endswith("text")]
    assert any(text and text.endswith("%") for text in texts)
