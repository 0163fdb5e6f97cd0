"""The report as a browser shows it, wide and narrow, light and dark, with its script and without.

Skipped where there is no Chromium.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.command import Job, elmo_beam
from tests.helpers.page import in_browser

LINES = "".join(
    f"The bank of river {i} lay there .\nMoney in the bank {i} was safe , they said .\n"
    for i in range(200)
)


@pytest.fixture(scope="module")
def page(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The report of a run with rejects, damage, a long name and two sessions."""
    job = Job(tmp_path_factory.mktemp("report"), model)
    job.file("an-unusually-long-name-of-a-shard-of-the-corpus-2026-11.txt", LINES)
    job.file("small.txt", b"One line .\nbad \xff\n\n")
    job.file("broken.txt.gz", "no gzip")
    assert job.embed("--block_size", "2k").code == 1
    for i, file in enumerate(sorted((job.out / "blocks").iterdir())):
        at = 1_700_000_000 + 10 * i + (9000 if i > 6 else 0)
        os.utime(file, (at, at))
    elmo_beam("report", job.out).succeeds()
    yield job.out / "report.html"


WORDS = """
const box = document.getElementById("word-box"), input = document.getElementById("word");
const found = document.getElementById("found");
const answers = [!box.hidden && document.getElementById("word-list").hidden];
const type = (text) => {
  input.value = text;
  input.dispatchEvent(new window.Event("input"));
  answers.push(found.textContent);
};
["Bank", "mon", "nowhere", "<b>", ""].forEach(type);
document.querySelector("#named button").click();
answers.push(window.location.hash);
const heads = [...document.querySelectorAll(".sortable th button")];
const files = () => [...document.querySelectorAll(".sortable tbody tr")].map(
  (row) => row.cells[0].textContent[0]);
for (const i of [6, 6, 0]) { heads.at(i === 6 ? -1 : i).click(); answers.push(files().join("")); }
const bar = [...document.querySelectorAll(".bar div")].map((part) => part.clientWidth);
answers.push(Math.min(...bar), bar.length);
const mark = document.querySelector(".mark"), tip = mark.querySelector("foreignObject");
const seen = () => window.getComputedStyle(tip).visibility;
answers.push(seen());
mark.focus();
answers.push(seen());
return answers;
"""


def test_words_are_looked_up_files_sorted_and_marks_read(page: Path) -> None:
    answers = in_browser(page, WORDS)
    shown, bank, begins, nowhere, markup, nothing, address, *sorted_files = answers
    assert shown is True
    assert bank.startswith("bank: ") and " in the sample, 8 shown" in bank
    assert len(re.findall(r"0\.\d\d|1\.00", bank)) == 24
    assert begins == "Words that begin so: money "
    assert nowhere == markup == "Not in the sample." and nothing == ""
    assert address.startswith("#word=")
    assert sorted_files[:3] == ["asb", "bsa", "abs"]
    narrowest, parts, before, focused = sorted_files[3:]
    assert narrowest >= 6 and parts == 3  # one rejected line of more than four hundred
    assert (before, focused) == ("hidden", "visible")


FIT = """
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const split = [], range = document.createRange();
const texts = document.createTreeWalker(document.body, window.NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const node = texts.currentNode;
  if (node.parentElement.closest("svg, script, .long, pre, [hidden], datalist")) continue;
  for (const word of node.data.matchAll(/[A-Za-z0-9]+/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) {
      split.push(word[0]);
    }
  }
}
const boxes = [...document.querySelectorAll("svg text")].map((text) => [
  text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width);
const over = [];
boxes.forEach(([a, one], i) => boxes.slice(i + 1).forEach(([b, two]) => {
  if (one.left < two.right && two.left < one.right && one.top < two.bottom - 1
      && two.top < one.bottom - 1) over.push([a, b]);
}));
return [wide, split, over, boxes.length > 5];
"""


@pytest.mark.parametrize("width", [390, 900])
def test_everything_fits_and_nothing_covers_anything(page: Path, width: int) -> None:
    assert in_browser(page, FIT, width) == [0, [], [], True]


PLAIN = """
const list = document.getElementById("word-list");
return [document.getElementById("word-box").hidden, list.hidden,
  list.querySelector("details li mark").textContent.length > 0,
  document.querySelectorAll("svg .mark").length > 20, document.querySelectorAll("button").length];
"""


def test_without_its_script_a_page_lists_some_words(page: Path) -> None:
    hidden, listed_hidden, marked, drawn, _ = in_browser(page, PLAIN, scripts=False)
    assert hidden and not listed_hidden and marked and drawn


COLOURS = """
const style = window.getComputedStyle(document.body);
return [style.backgroundColor, style.color];
"""


def test_a_page_is_dark_where_one_prefers_that(page: Path) -> None:
    light, dark = (in_browser(page, COLOURS, dark=dark) for dark in (False, True))
    assert light[0] == "rgb(255, 255, 255)" and dark[0] == "rgb(21, 23, 26)"
    assert light[1] != dark[1]
