"""The report's parts in HTML: command, dates, files, rejects, and the words to look up."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from elmo_beam.pipeline.job.state import RunState, ShardState
from elmo_beam.pipeline.report.accounts import shards
from elmo_beam.pipeline.report.sample import Sample
from elmo_beam.pipeline.report.settings import command
from elmo_beam.pipeline.report.word_box import _data
from elmo_beam.transforms.accounts import Counts
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.shards import stat_shard
from elmo_beam.transforms.plan import Plan
from tests.helpers.command import Job, elmo_beam
from tests.helpers.page import Page, page_of

BANKS = "".join(
    f"The {i} bank of the river .\nMoney in {i} bank .\nA {i} bank holiday </script><b> .\n"
    for i in range(4)
)


def data(page: Page) -> dict[str, Any]:
    """What the page has for its word box."""
    found = re.search(r'<script type="application/json" id="sample">(.*?)</script>', page.source)
    assert found
    return dict(json.loads(found[1]))


@pytest.mark.parametrize(
    "flags",
    [
        ("--outputs", "elmo,lstm_outputs2", "--dtype", "float16", "--split_sentences"),
        (
            "--format",
            "tfrecord",
            "--pad_to",
            "9",
            "--max_tokens",
            "9",
            "--limit",
            "3",
            "--language",
            "de",
        ),
        ("--pool", "word", "--top_words", "3", "--block_size", "64"),
    ],
)
def test_the_command_on_the_page_is_that_of_the_run(job: Job, flags: tuple[str, ...]) -> None:
    job.file("it's a.txt", BANKS)
    job.embed(*flags).succeeds()
    found = re.search(r"<pre><code>(.*?)</code></pre>", page_of(job).source, re.DOTALL)
    assert found
    words = shlex.split(unescape(found[1]).replace("\\\n", " "))
    before = job.manifest()
    elmo_beam(*words[1:]).succeeds()  # with other settings it would be refused
    assert words[0] == "elmo-beam" and job.manifest() == before


def test_the_command_of_a_run_of_words_or_of_many_files() -> None:
    many = command(Settings(words=("bank",), block_size=2 << 20), ["/a b/1", *"123456789"], "/out")
    assert "--words words.txt" in many and "--block_size" not in many and "bank" not in many
    assert "--input '/a b/1'" in many and "# 2 more files" in many and "--input 9" not in many


def test_a_page_says_what_and_when(job: Job) -> None:
    job.file("a.txt", BANKS)
    job.embed("--memory", "64M", "--split_sentences").succeeds()
    page = page_of(job)
    assert page.text.count(f"{job.out.name} complete {job.out} ") == 1
    for shown in ("memory 64m", "split_sentences yes", "limit not given", "keep_fields none"):
        assert shown in page.text
    assert "--memory 64m" in page.text
    source = page.source
    times = re.findall(r'<time datetime="(\d{4}-\d\d-\d\dT\d\d:\d\dZ)">', source)
    assert len(times) >= 2 and "run of <time" in source and "page of <time" in source


def test_each_file_has_its_accounts(job: Job) -> None:
    job.file("a.txt", b"The bank .\n\nbad \xff\n")
    job.file("b.txt", "One . Two .\n")
    job.file("c.txt.gz", "no gzip")
    assert job.embed().code == 1
    text = page_of(job).text
    assert "3 files" in text and f"of {job.folder / 'in'}/" in text
    assert "a.txt complete 3 1 1 1 1 3 b.txt complete 1 1 0 0 1 4" in text
    assert "c.txt.gz damaged: cannot be read to its end" in text


def test_of_very_many_files_those_with_most_to_say_are_shown(tmp_path: Path) -> None:
    states = []
    for i in range(700):
        path = tmp_path / f"{i:03d}.txt"
        path.touch()
        plan = Plan(stat_shard(str(path)), 9, "x", [], "is cut" if i == 698 else None)
        rejected = {"invalid_utf8": 1} if i == 699 else {}
        done = Counts(str(path), "x", 0, 9, 1, rejected=rejected, tokens=i % 50)
        states.append(ShardState(str(path), plan, [done]))
    for shard in states:
        shard.plan.blocks.extend([None] * (not shard.plan.damaged))  # type: ignore
    page = Page("".join(shards(RunState(states), Settings(), {})))
    assert page.tags.count("tr") == 501 and "200 more files not shown" in page.text
    assert "698.txt damaged: is cut" in page.text and "699.txt complete" in page.text
    assert "049.txt" in page.text and "650.txt" not in page.text  # of many tokens, and of none


def test_rejects_lead_to_their_files(job: Job) -> None:
    for name in ("a #1?.txt", "ü%20'\".txt"):
        job.file(name, b"good\nbad \xff\n" * 30)
    job.embed("--block_size", "64").succeeds()
    page = page_of(job)
    leads = [link for link in page.links if not link.startswith("#")]
    found = [json.loads((job.out / unquote(link)).read_text().splitlines()[0]) for link in leads]
    assert {each["reason"] for each in found} == {"invalid_utf8"}
    files = {f"rejects/{path.name}" for path in (job.out / "rejects").iterdir()}
    assert {unquote(link) for link in leads} == files
    assert len({each["shard"] for each in found}) == 2


def test_a_page_needs_no_network(job: Job) -> None:
    job.file("a.txt", BANKS)
    job.embed().succeeds()
    page = page_of(job)
    assert all(link.startswith("#") for link in page.links)
    assert "default-src 'none'" in page.source
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", page.source)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ((), "token"),
        (("--format", "tfrecord"), "token"),
        (("--outputs", "default"), "sentence"),
        (("--words", "words.txt"), "token"),
        (("--words", "words.txt", "--context", "2"), "token"),
    ],
)
def test_words_are_looked_up_in_every_kind_of_run(
    job: Job, flags: tuple[str, ...], kind: str
) -> None:
    job.file("a.txt", BANKS)
    (job.folder / "words.txt").write_text("bank\nriver\n")
    job.embed("--tokenizer", "whitespace", *(_there(job, flag) for flag in flags)).succeeds()
    page = page_of(job)
    sample = data(page)
    assert sample["kind"] == kind and sample["words"]["bank"][0] == 12
    places = list(zip(sample["at"][::2], sample["at"][1::2], strict=True))
    for use in sample["words"]["bank"][1:]:
        sentence, place = places[use]
        tokens = sample["sentences"][sentence]
        assert "bank" in tokens if place < 0 else tokens[place] == "bank"
        near = sample["near"][str(use)]
        assert len(near) == 6 and near[1::2] == sorted(near[1::2], reverse=True)
        assert sentence not in [places[j][0] for j in near[::2]]
    assert "<summary>bank</summary>" in page.source  # without a script
    assert "holiday </script><b>" in " ".join(" ".join(each) for each in sample["sentences"])


def test_short_files_of_one_part_have_their_own_lengths(job: Job) -> None:
    for name, text in (("a", "one two"), ("b", "a b c d e f g h"), ("c", "a b c d e f")):
        job.file(f"{name}.txt", text + "\n")
    job.embed("--tokenizer", "whitespace").succeeds()
    elmo_beam("report", job.out).succeeds()
    page = (job.out / "report.html").read_text("utf-8")
    assert "median 6, longest 8" in page and "8 tokens: 1 sentence" in page


def test_a_sentence_that_is_repeated_is_no_neighbour_of_itself(job: Job) -> None:
    job.file("a.txt", BANKS * 3)
    job.embed("--tokenizer", "whitespace").succeeds()
    sample = data(page_of(job))
    assert sample["words"]["bank"][0] == 12
    assert len(set(map(tuple, sample["sentences"]))) == len(sample["sentences"]) == 12


def test_two_occurrences_in_a_sentence_are_no_neighbours(job: Job) -> None:
    job.file("a.txt", "bank after bank\nno bank here\n")
    (job.folder / "words.txt").write_text("bank\n")
    job.embed("--words", job.folder / "words.txt").succeeds()
    sample = data(page_of(job))
    assert sample["near"]["0"][::2] == sample["near"]["1"][::2] == [2]


def _there(job: Job, flag: str) -> str:
    return str(job.folder / flag) if flag.endswith(".txt") else flag


def test_the_nearest_words_of_a_pooled_run(job: Job) -> None:
    job.file("a.txt", BANKS)
    job.embed("--pool", "word", "--top_words", "5").succeeds()
    sample = data(page_of(job))
    (use,) = sample["words"]["bank"][1:]
    assert sample["kind"] == "word" and sample["sentences"][use] == ["bank", "(12)"]
    assert len(sample["near"][str(use)]) == 2 * 4  # all others


@pytest.mark.parametrize(
    "flags", [("--outputs", "word_emb"), ("--words", "words.txt", "--format", "tfrecord")]
)
def test_a_run_with_nothing_to_look_up(job: Job, flags: tuple[str, ...]) -> None:
    job.file("a.txt", BANKS)
    (job.folder / "words.txt").write_text("bank\n")
    job.embed(*(_there(job, flag) for flag in flags)).succeeds()
    page = page_of(job)
    assert "Look up a word" not in page.text and 'id="sample"' not in page.source


@pytest.mark.parametrize("letter", ["a", '"', "界", "\U00020000", "\x01"])
@pytest.mark.parametrize("kind", ["token", "sentence"])
def test_the_page_stays_small(letter: str, kind: str) -> None:
    sample = Sample("elmo", kind)
    rng = np.random.default_rng(0)
    while not sample.full(2000):  # of so many uses; as many as 8,000 would be only four times more
        tokens = [letter * 1000 + str(i) for i in range(40)]
        tokens = [f"{len(sample.at)}-{token}" for token in tokens]
        places = list(range(40)) if kind == "token" else [-1]
        words = [[token] for token in tokens] if kind == "token" else [tokens]
        sample.add(rng.normal(size=(len(places), 4)), tokens, places, words)
    uses, near = sample.nearest()
    assert len(_data(sample, uses, near).encode()) < 2_000_000
