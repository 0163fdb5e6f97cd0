"""`inspect --word`: a word's uses in two groups, which are its senses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from elmo_beam.pipeline.report import word_uses
from tests.helpers.command import Job, Ran, elmo_beam
from tests.helpers.senses import SAMPLE, lines_of_sense, sample_lines

RIVER = "we sat on the bank of the river\n"
MONEY = "my money is in the bank now\n"
TEXT = RIVER + MONEY + RIVER + "spring came late\n"
RIVER_USE, MONEY_USE = "we sat on the [bank] of the river", "my money is in the [bank] now"


def shown(job: Job, word: str) -> Ran:
    return elmo_beam("inspect", job.out, "--word", word).succeeds()


def groups(ran: Ran) -> list[tuple[int, list[str]]]:
    """Of each group the number of its uses, and those shown."""
    found: list[tuple[int, list[str]]] = []
    for line in ran.out.splitlines()[1:]:
        size = re.fullmatch(r"  ([\d,]+) uses?", line)
        if size:
            found.append((int(size[1].replace(",", "")), []))
        elif line:
            assert line.startswith("    ")
            found[-1][1].append(line.strip())
    return found


@pytest.mark.parametrize("flags", [(), ("--format", "tfrecord"), ("--dtype", "float16")])
def test_each_use_is_counted_and_equal_ones_are_shown_once(
    job: Job, flags: tuple[str, ...]
) -> None:
    job.file("a-blank.txt", "\n\n")
    job.file("b.txt", TEXT)
    job.embed("--outputs", "elmo,default", *flags).succeeds()
    ran = shown(job, "Bank")  # in any case
    assert ran.out.startswith("Bank: 3 uses in 2 groups by elmo, the most typical first\n")
    assert groups(ran) == [(2, [RIVER_USE]), (1, [MONEY_USE])]


def test_the_group_of_the_first_use_comes_first(job: Job) -> None:
    job.file("a.txt", MONEY + RIVER + RIVER)
    job.embed().succeeds()
    assert groups(shown(job, "bank")) == [(1, [MONEY_USE]), (2, [RIVER_USE])]


def test_a_use_is_compared_by_its_own_sentence_only(job: Job) -> None:
    """The word is the first token, the last and the only one; other lines come between."""
    lines = [*sample_lines()[:6], "bank", "Bank holds water", "the money went to the bank"]
    lines = [line.replace("ring", "bank").replace("well", "BANK") for line in lines]
    job.file("a.txt", "\n".join(lines))
    job.embed().succeeds()
    alone = shown(job, "bank").out
    assert "[bank]" in alone and "[Bank]" in alone and "[BANK]" in alone
    between = [f"{line}\nno word of interest number {i}" for i, line in enumerate(lines)]
    job.file("a.txt", "\n".join(between))
    job.embed("--overwrite").succeeds()
    assert shown(job, "bank").out == alone


def test_a_word_that_is_not_there_is_refused(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.embed().succeeds()
    elmo_beam("inspect", job.out, "--word", "zebra").refuses("zebra", job.out)
    ran = elmo_beam("inspect", job.out, "--word", "")
    ran.refuses("--word" if ran.code == 2 else "''", code=ran.code)


def test_sentences_where_a_run_has_no_token_vectors(job: Job) -> None:
    job.file("a.txt", TEXT + "bank " * 30)
    job.embed("--outputs", "default").succeeds()
    ran = shown(job, "bank")
    assert ran.out.startswith("bank: 4 uses in 2 groups by default, ")
    found = groups(ran)
    assert sum(size for size, _ in found) == 4
    assert {use for _, uses in found for use in uses} == {
        "we sat on the bank of the river", "my money is in the bank now",
        "bank " * 24 + "…",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outputs", "named"),
    [
        ("default,lstm_outputs2,elmo,lstm_outputs1", "lstm_outputs2"),
        ("elmo,default,word_emb", "elmo"),
    ],
)
def test_groups_are_by_the_top_layer_there_is(job: Job, outputs: str, named: str) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", outputs).succeeds()
    assert f"groups by {named}, " in shown(job, "bank").out


@pytest.mark.parametrize("listed", [False, True])
def test_runs_that_cannot_show_uses_say_why(job: Job, tmp_path: Path, listed: bool) -> None:
    job.file("a.txt", TEXT)
    words = tmp_path / "words.txt"
    words.write_text("bank\n")
    flags = ("--words", words) if listed else ()
    job.embed(*flags, "--outputs", "word_emb").succeeds()
    inspect = ("inspect", job.out, "--word", "bank")
    elmo_beam(*inspect).refuses("word_emb", "--outputs elmo")
    outputs = "elmo" if listed else "default"
    job.embed(*flags, "--overwrite", "--outputs", outputs, "--format", "tfrecord").succeeds()
    kind = "words" if listed else "sentence vectors"
    elmo_beam(*inspect).refuses(f"tfrecord of {kind} keeps no tokens", "Parquet")
    assert outputs in elmo_beam("inspect", job.out).succeeds().out


def test_one_use_is_one_group(job: Job) -> None:
    job.file("a.txt", "one bank\n")
    job.embed().succeeds()
    ran = shown(job, "bank")
    assert ran.out.startswith("bank: 1 use in 1 group ")
    assert groups(ran) == [(1, ["one [bank]"])]


def test_a_large_run_is_looked_through_in_part(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.file("a.txt", (RIVER + MONEY) * 10 + "spring came late\n")
    job.embed("--block_size", "200").succeeds()
    assert shown(job, "bank").out.startswith("bank: 20 uses in ")
    monkeypatch.setattr(word_uses, "MOST_USES", 7)
    ran = shown(job, "bank")
    assert ran.out.startswith("bank: the first 7 uses in ")
    assert sum(size for size, _ in groups(ran)) == 7
    monkeypatch.setattr(word_uses, "MOST_USES", 1000)
    monkeypatch.setattr(word_uses, "MOST_VECTORS", 1)
    in_part = re.match(r"bank: (\d+) uses in the first 1 part in ", shown(job, "bank").out)
    assert in_part and 1 <= int(in_part[1]) < 20
    elmo_beam("inspect", job.out, "--word", "spring").refuses("in the first 1 part of", "spring")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """What scripts/quickstart.sh embeds."""
    job = Job(tmp_path_factory.mktemp("sample"), "default")
    job.embed("--outputs", "elmo,lstm_outputs2", inputs=[SAMPLE / "*"]).succeeds()
    return job


def shares_of_sense(job: Job, word: str) -> tuple[float, float]:
    """Of all uses, and of those that are shown, the share in the group of their sense."""
    lines = [" ".join(tokens) for tokens in job.rows()["tokens"].to_pylist()]
    ours = lines_of_sense()[word]
    both = [uses for _, uses in groups(shown(job, word))]
    right: list[list[bool]] = []
    for i, uses in enumerate(both):
        plain = [use.replace(f"[{word}]", word) for use in uses]
        at = [next(n for n, line in enumerate(lines) if use in line) for use in plain]
        right.append([(n in ours) == (i == 0) for n in at])
    shares = [np.mean(right[0] + right[1]), np.mean(right[0][:4] + right[1][:4])]
    if shares[0] < 0.5:  # the first group is the other sense
        shares = [1 - share for share in shares]
    return float(shares[0]), float(shares[1])


def test_the_groups_of_the_sample_are_senses(sample: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert word_uses.TYPICAL == 4
    monkeypatch.setattr(word_uses, "TYPICAL", 28)
    shares = {word: shares_of_sense(sample, word) for word in lines_of_sense()}
    assert shares["bank"] == (1.0, 1.0)  # what the quickstart ends with
    grouped, typical = np.mean(list(shares.values()), axis=0)
    assert grouped >= 0.80, shares
    assert typical >= 0.93, shares
    assert sum(typical == 1 for _, typical in shares.values()) >= 7, shares


@pytest.mark.parametrize("context", [(), ("--context", "2")])
def test_uses_in_a_run_of_words(job: Job, tmp_path: Path, context: tuple[str, ...]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("bank\nspring\n")
    job.file("a.txt", RIVER + "The Bank is open\n" + RIVER + "spring came late\n")
    job.embed("--words", words, "--word_case", "fold", *context).succeeds()
    ran = shown(job, "BANK")
    assert ran.out.startswith("BANK: 3 uses in 2 groups by ")
    river = "on the [bank] of the" if context else RIVER_USE
    open_now = "The [Bank] is open"
    assert groups(ran) == [(2, [river]), (1, [open_now])]
