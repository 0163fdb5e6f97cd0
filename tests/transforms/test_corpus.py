"""Shards to a corpus: every line accounted for, what is held out, and shards read only once."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from elmo_beam.transforms.corpus import Corpus, read_corpus
from elmo_beam.transforms.files.settings import Settings
from tests.helpers.refusal import refused

SETTINGS = Settings()


def read(*paths: Path, settings: Settings = SETTINGS, cache: Path | None = None) -> Corpus:
    kept = (str(cache), str(cache / "corpus")) if cache else None
    return read_corpus([str(p) for p in paths], settings, kept, lambda _: None)


def test_sentences_and_accounts_of_several_shards(tmp_path: Path) -> None:
    text, lines = tmp_path / "a.txt.gz", tmp_path / "b.jsonl"
    text.write_bytes(gzip.compress(b"Don't.\n\n\xff\nThe end.\nThe end.\n"))
    lines.write_text(json.dumps({"text": "One\ntwo"}) + "\nnope\n[]\n")
    corpus = read(text, lines)
    assert corpus.sentences.to_lists() == [
        ["Don", "'t", "."],
        ["The", "end", "."],
        ["The", "end", "."],
        ["One", "two"],
    ]
    assert len(corpus.sentences.vocabulary) == 7
    assert (corpus.lines, corpus.blank) == (8, 1)
    assert corpus.rejected == {"invalid_utf8": 1, "not_json": 1, "not_an_object": 1}


def test_one_of_a_hundred_is_held_out_by_its_tokens_alone(tmp_path: Path) -> None:
    lines = [f"sentence number {i % 4000}" for i in range(8000)]
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    whole.write_text("\n".join(lines))
    first.write_text("\n".join(lines[:3000]))
    second.write_text("\n".join(lines[3000:]))
    held = read(whole).held_out
    # The definition, written out: a model card's figures depend on it.
    want = [
        int.from_bytes(hashlib.blake2b(line.encode(), digest_size=8).digest(), "little") % 100 == 0
        for line in lines
    ]
    assert held.tolist() == want
    assert 20 < held[:4000].sum() < 60
    assert (held[:4000] == held[4000:]).all()
    assert read(first, second).held_out.tolist() == want


def test_what_is_kept_is_what_was_read(tmp_path: Path) -> None:
    shard = tmp_path / "a.txt"
    shard.write_text("naïve \u2028 日 \n\nlong long long\n" + "one more\n" * 300)
    settings = Settings(max_tokens=2)
    first = read(shard, settings=settings, cache=tmp_path / "out")
    (kept,) = (tmp_path / "out" / "corpus").iterdir()
    written = kept.stat().st_mtime_ns
    again = read(shard, settings=settings, cache=tmp_path / "out")
    assert kept.stat().st_mtime_ns == written
    for got in (first, again):
        assert got.sentences.to_lists() == [["naïve", "日"], *[["one", "more"]] * 300]
        assert (got.lines, got.blank, got.rejected) == (303, 1, {"too_many_tokens": 1})
    np.testing.assert_array_equal(first.held_out, again.held_out)


@pytest.mark.parametrize("change", ["content", "settings", "damage"])
def test_what_no_longer_holds_is_read_again(tmp_path: Path, change: str) -> None:
    shard, out = tmp_path / "a.txt", tmp_path / "out"
    shard.write_text("one two\n")
    read(shard, cache=out)
    settings, want = SETTINGS, [["one", "two"]]
    if change == "content":
        shard.write_text("two one\n")
        os.utime(shard, (1, 1))
        want = [["two", "one"]]
    elif change == "settings":
        settings = Settings(max_tokens=1, long_sentences="truncate")
        want = [["one"]]
    else:
        (kept,) = (out / "corpus").iterdir()
        kept.write_bytes(kept.read_bytes()[:200])
    assert read(shard, settings=settings, cache=out).sentences.to_lists() == want


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    good.write_text("fine\n")
    bad.write_bytes(gzip.compress(b"one\n" * 5000)[:40])
    with refused(f"damaged: {bad}", "leave it out of `inputs`"):
        read(good, bad)


def test_no_sentence_at_all(tmp_path: Path) -> None:
    shard = tmp_path / "a.txt"
    shard.write_text("")
    corpus = read(shard)
    assert (len(corpus.sentences), len(corpus.held_out), corpus.lines) == (0, 0, 0)
