"""Sentences that come again: the same vectors, and no steps."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.encoder import sentence_cache
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.passes import Encoded, in_order
from elmo_beam.elmo.encoder.sentence_cache import MEMORY_SHARE, PER_SENTENCE, SentenceCache
from elmo_beam.elmo.formats.handles import load_encoder
from elmo_beam.elmo.sentences import Sentences
from tests.helpers.models import OPTIONS
from tests.helpers.oracle import assert_close, random_weights

OUTPUTS = ["word_emb", "lstm_outputs2", "elmo", "default"]
TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=8)


@pytest.fixture(scope="module")
def plain() -> Encoder:
    return Encoder(random_weights(OPTIONS))


def encoded(
    encoder: Encoder | SentenceCache,
    text: Sequence[Sequence[str]],
    outputs: Sequence[str] = ("elmo",),
) -> tuple[dict[str, np.ndarray], list[Encoded]]:
    """Vectors in order, and the passes that gave them."""
    sentences = Sentences.from_lists(text)
    passes = list(encoder.passes(sentences, outputs))
    rows = np.concatenate([each.rows for each in passes])
    assert sorted(rows.tolist()) == list(range(len(text)))
    assert sum(each.steps for each in passes) == 2 * len(sentences.ids)
    return in_order(passes, sentences), passes


@settings(max_examples=40)
@given(
    blocks=st.lists(st.tuples(TEXTS, st.sampled_from([OUTPUTS, ["elmo"]])), max_size=5),
    capacity=st.sampled_from([1, 4 * PER_SENTENCE, sentence_cache.MOST_KEPT]),
    alike=st.booleans(),
)
def test_whatever_came_before_the_vectors_are_the_same(
    plain: Encoder, blocks: list[tuple[list[list[str]], list[str]]], capacity: int, alike: bool
) -> None:
    cache = SentenceCache(plain, MEMORY_SHARE * capacity)
    real = sentence_cache._fingerprints
    with pytest.MonkeyPatch.context() as patch:
        if alike:  # as if all sentences had one fingerprint
            patch.setattr(sentence_cache, "_fingerprints", lambda s: np.zeros_like(real(s)))
        for text, outputs in blocks:
            got, _ = encoded(cache, text, outputs)
            want, _ = encoded(plain, text, outputs)
            assert got.keys() == want.keys()
            for name in want:
                assert_close(got[name], want[name], 1e-5)
    assert cache._size <= capacity


def test_the_third_time_a_sentence_takes_no_step(plain: Encoder) -> None:
    cache, menu = SentenceCache(plain), ["a", "b", "c"]
    nodes = []
    for i in range(4):
        _, passes = encoded(cache, [menu, [f"line{i}", "b"]])
        nodes.append(sum(each.nodes for each in passes))
    assert nodes == [10, 10, 4, 4]  # of both directions
    _, (only,) = encoded(cache, [menu, menu])
    assert (only.nodes, only.lookups, only.misses) == (0, 0, 0)


def test_a_sentence_twice_in_one_block_is_kept_at_once(plain: Encoder) -> None:
    cache = SentenceCache(plain)
    encoded(cache, [["a"], ["a"]])
    assert sum(each.nodes for each in encoded(cache, [["a"]])[1]) == 0


def test_the_least_recently_used_goes_first(plain: Encoder) -> None:
    cache = SentenceCache(plain, MEMORY_SHARE * 4 * PER_SENTENCE)  # three of one token each
    for word in "abc":
        encoded(cache, [[word], [word]])
    encoded(cache, [["a"]])
    encoded(cache, [["d"], ["d"]])  # drives one out
    # "b" last, since asking for it brings it back.
    steps = [encoded(cache, [[word]])[1][0].nodes for word in "acdb"]
    assert steps == [0, 0, 0, 2]


def test_text_without_repeats_drives_nothing_out(plain: Encoder) -> None:
    cache = SentenceCache(plain, MEMORY_SHARE * 3 * PER_SENTENCE)
    encoded(cache, [["menu"], ["menu"]])
    for i in range(50):
        encoded(cache, [[f"line{i}"]])
    assert encoded(cache, [["menu"]])[1][0].nodes == 0


def test_what_it_takes_counts_the_tokens_too(plain: Encoder) -> None:
    cache = SentenceCache(plain)
    long = [f"token{i}" for i in range(500)]
    encoded(cache, [long, long], ["default"])
    assert cache._size > 500 * sys.getsizeof("token500")


def test_memory_bounds_a_pass_of_known_sentences_too(plain: Encoder) -> None:
    cache = SentenceCache(plain, memory=1 << 18)
    menu = [["a"] * 10] * 3000
    encoded(cache, menu[:2])
    _, passes = encoded(cache, menu)
    assert sum(each.nodes for each in passes) == 0
    assert max(each.vectors["elmo"].nbytes for each in passes) <= 1 << 18
    assert len(passes) > 1


def test_a_pass_that_another_call_for_other_outputs_interrupts_is_not_kept(plain: Encoder) -> None:
    cache = SentenceCache(plain)
    sentences = Sentences.from_lists([["a", "b"]] * 2)
    interrupted = cache.passes(sentences, ["default"])
    next(interrupted)
    encoded(cache, [["x"]], ["elmo"])
    assert list(interrupted) == []
    got, _ = encoded(cache, [["a", "b"]], ["elmo"])
    assert list(got) == ["elmo"]


def test_the_default_models_bits_do_not_depend_on_what_came_before() -> None:
    encoder = load_encoder("default")
    cache, rng = SentenceCache(encoder), np.random.default_rng(0)
    words = [
        "the",
        "bank",
        "of",
        "a",
        "river",
        "was",
        "closed",
        "when",
        "we",
        "came",
        "to",
        "it",
        "again",
        ".",
    ]
    menu = [list(rng.choice(words, 1 + i)) for i in range(30)]
    for _ in range(3):
        block = [list(rng.choice(words, rng.integers(1, 40))) for _ in range(40)] + menu
        rng.shuffle(block)
        got, _ = encoded(cache, block)
        np.testing.assert_array_equal(got["elmo"], encoder.encode(block)["elmo"])
