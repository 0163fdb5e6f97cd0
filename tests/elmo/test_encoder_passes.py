"""A sentence's vectors do not depend on its batch, on memory, or on what the cache holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.passes import Encoded
from elmo_beam.elmo.formats.handles import load_encoder, read_weights
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.outputs import output_names
from elmo_beam.elmo.sentences import Sentences
from tests.helpers.oracle import assert_close, random_weights

OPTIONS = ModelOptions(
    filters=((1, 4), (3, 6)), char_dim=4, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=8, projection_dim=4, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip
OUTPUTS = output_names(OPTIONS)
SMALL = 20_000  # bytes: some sentences per pass, 156 tokens in the cache
WORDS = [f"{stem}{n}" for n in range(100) for stem in ("a", "bb", "cccccc")]


@pytest.fixture(scope="module")
def roomy() -> Encoder:
    """All of a test's sentences in one pass, all of its words in the cache."""
    return Encoder(random_weights(OPTIONS))


@pytest.fixture(scope="module")
def small() -> Encoder:
    """Several sentences per pass; the cache fills and starts over."""
    return Encoder(random_weights(OPTIONS), memory=SMALL)


@pytest.fixture(scope="module")
def tiny() -> Encoder:
    """Room for nothing: one sentence per pass, one word in the cache."""
    return Encoder(random_weights(OPTIONS), memory=1)


def texts(max_size: int = 12) -> st.SearchStrategy[list[list[str]]]:
    words = st.one_of(
        st.sampled_from(WORDS), st.sampled_from(["the", "of", "", "x" * 60, "é" * 40])
    )
    return st.lists(st.lists(words, max_size=9), max_size=max_size)


def random_text(sentences: int, seed: int) -> list[list[str]]:
    rng = Random(seed)
    return [rng.choices(WORDS, k=rng.randrange(12)) for _ in range(sentences)]


def by_sentence(encoder: Encoder, text: Sequence[list[str]]) -> list[dict[str, np.ndarray]]:
    """Every output cut into sentences."""
    flat = encoder.encode(text, OUTPUTS)
    ends = np.cumsum([len(tokens) for tokens in text])
    return [
        {
            name: vectors[i] if name == "default" else vectors[end - len(tokens) : end]
            for name, vectors in flat.items()
        }
        for i, (tokens, end) in enumerate(zip(text, ends, strict=True))
    ]


def assert_alike(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert got.keys() == want.keys()
    for name, vectors in want.items():
        assert_close(got[name], vectors, 1e-5)


@given(text=texts(), order=st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_batch_order_memory_and_cache_change_nothing(
    roomy: Encoder, small: Encoder, tiny: Encoder, text: list[list[str]], order: Random
) -> None:
    want = [by_sentence(roomy, [tokens])[0] for tokens in text]
    shuffled = list(range(len(text)))
    order.shuffle(shuffled)
    for encoder in (roomy, small, tiny):
        for got, i in zip(by_sentence(encoder, [text[i] for i in shuffled]), shuffled, strict=True):
            assert_alike(got, want[i])


@pytest.mark.parametrize(
    ("word", "times", "precision"),
    [("_", 60, "float32"), ("the", 300, "float32"), ("the", 300, "bfloat16")],
)
def test_text_that_amplifies_rounding_does_not_depend_on_its_batch(
    word: str, times: int, precision: str
) -> None:
    """One word over and over: a token vector's last bit would grow to some 1e-4 at its end."""
    weights, repeated = read_weights("default"), [word] * times
    text = [[f"{stem}{n}" for n in range(40)] for stem in WORDS[:9]]
    alone = Encoder(weights, precision=precision).encode([repeated], ["lstm_outputs2"])
    batched = Encoder(weights, precision=precision).encode([repeated, *text], ["lstm_outputs2"])
    assert_close(batched["lstm_outputs2"][:times], alone["lstm_outputs2"], 1e-5)


def test_many_passes_give_what_one_gives(roomy: Encoder, small: Encoder) -> None:
    text = random_text(300, seed=1)
    assert len(passes(roomy, text)) == 1
    assert len(passes(small, text)) > 5
    for got, want in zip(by_sentence(small, text), by_sentence(roomy, text), strict=True):
        assert_alike(got, want)


def passes(
    encoder: Encoder, text: Sequence[Sequence[str]], outputs: Sequence[str] = OUTPUTS
) -> list[Encoded]:
    return list(encoder.passes(Sentences.from_lists(text), outputs))


@given(text=texts(max_size=40), outputs=st.sets(st.sampled_from(OUTPUTS), min_size=1))
@settings(max_examples=30)
def test_each_sentence_is_in_one_pass_and_passes_keep_to_memory(
    small: Encoder, text: list[list[str]], outputs: set[str]
) -> None:
    parts = passes(small, text, list(outputs))
    assert sorted(i for part in parts for i in part.rows) == list(range(len(text)))
    for part in parts:
        assert part.rows.tolist() == sorted(part.rows)
        tokens = sum(len(text[i]) for i in part.rows)
        for name, vectors in part.vectors.items():
            assert len(vectors) == (len(part.rows) if name == "default" else tokens)
        alone = len(part.rows) <= 1
        assert alone or sum(v.nbytes for v in part.vectors.values()) <= SMALL


def test_default_of_many_sentences_is_each_ones_own(roomy: Encoder) -> None:
    text = random_text(1500, seed=2)
    got = roomy.encode(text, ["elmo", "default"])
    ends = np.cumsum([len(tokens) for tokens in text])
    assert ends[-1] > 8000
    for tokens, end, mean in zip(text, ends, got["default"], strict=True):
        own = got["elmo"][end - len(tokens) : end]
        assert_close(mean, own.mean(axis=0) if tokens else np.zeros(8), 1e-6)


def test_passes_leave_room_for_the_gates_of_a_wide_model() -> None:
    """Each sentence with a first word of its own adds a row to the first level."""
    encoder = Encoder(random_weights(replace(OPTIONS, lstm_dim=64)), memory=SMALL)
    parts = passes(encoder, [[word] for word in WORDS], ["word_emb"])
    assert all(len(part.rows) * 4 * 64 * 4 <= SMALL for part in parts)


def test_passes_are_equally_large_however_much_memory_there_is() -> None:
    """So a long corpus takes no more memory at its end than a short one."""
    text = [[WORDS[(10 * i + k) % len(WORDS)] for k in range(10)] for i in range(6000)]
    parts = passes(Encoder(random_weights(OPTIONS), memory=1 << 40), text, ["default"])
    *full, rest = [len(part.rows) for part in parts]
    assert len(full) >= 2
    assert max(full) == min(full) >= rest


def test_long_sequences_go_together_as_far_as_memory_allows() -> None:
    """A step of one sequence loads the same weights as one of many."""
    text = [[WORDS[(i + k) % len(WORDS)] for k in range(1000 + i)] for i in range(16)]
    weights, passes_by_memory = random_weights(OPTIONS), []
    for memory in (1 << 40, 1 << 20, 1):
        parts = passes(Encoder(weights, memory=memory), text, ["default"])
        passes_by_memory.append(len(parts))
    one, some, alone = passes_by_memory
    assert (one, alone) == (1, 16) and 1 < some < 16


def test_without_memory_each_sentence_is_a_pass(tiny: Encoder) -> None:
    text = [["the", "of"], ["the"], ["of", "the", "of"]]
    assert [p.rows.tolist() for p in passes(tiny, text)] == [[1], [0], [2]]


def test_sentences_of_similar_length_share_a_pass(small: Encoder) -> None:
    """So that no pass ends in levels of a few long sentences."""
    text = random_text(300, seed=3)
    shortest = 0
    for part in passes(small, text):
        lengths = [len(text[i]) for i in part.rows]
        assert min(lengths) >= shortest
        shortest = max(lengths)


def test_no_sentences_are_one_pass_of_nothing(tiny: Encoder) -> None:
    (part,) = passes(tiny, [])
    assert part.rows.tolist() == []
    assert {name: v.shape for name, v in part.vectors.items()} == {
        "word_emb": (0, 4),
        "lstm_outputs1": (0, 8),
        "lstm_outputs2": (0, 8),
        "elmo": (0, 8),
        "default": (0, 8),
    }


def test_equal_prefixes_and_suffixes_are_computed_once(roomy: Encoder) -> None:
    (part,) = passes(roomy, [["a", "b", "c"]] * 7 + [["a", "b", "x"], ["y", "b", "c"]])
    assert part.steps == 2 * 27
    assert part.nodes == (3 + 1 + 3) + (3 + 3 + 1)


def test_the_cache_computes_a_word_once_while_it_has_room() -> None:
    encoder = Encoder(random_weights(OPTIONS))
    (first,) = passes(encoder, [["a", "b", "a"], ["b"]])
    assert (first.lookups, first.misses) == (2, 2)
    (second,) = passes(encoder, [["b", "c"]])
    assert (second.lookups, second.misses) == (2, 1)


def test_a_full_cache_starts_over_with_the_same_vectors(roomy: Encoder) -> None:
    """A cache of 156 words meets 300, fifty at a time, twice."""
    encoder = Encoder(random_weights(OPTIONS), memory=SMALL)
    want = roomy.encode([WORDS], ["word_emb"])["word_emb"]
    misses = []
    for _ in range(2):
        for start in range(0, 300, 50):
            (part,) = passes(encoder, [WORDS[start : start + 50]], ["word_emb"])
            misses.append(part.misses)
            assert_close(part.vectors["word_emb"], want[start : start + 50], 1e-5)
    assert misses[:6] == [50] * 6
    assert sum(misses[6:]) >= 300 - 156, "the cache takes more than its share of memory"
    (part,) = passes(encoder, [WORDS[-50:]], ["word_emb"])
    assert part.misses == 0


def test_words_that_are_cut_to_the_same_bytes_have_one_vector(roomy: Encoder) -> None:
    """The model sees 48 bytes of a token; the cache may hold such tokens as one."""
    text = [["x" * 48, "x" * 49, "x" * 1000, "x" * 47]]
    vectors = roomy.encode(text, ["word_emb"])["word_emb"]
    assert (vectors[0] == vectors[1]).all()
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] != vectors[3]).any()


def test_the_default_models_bits_do_not_depend_on_the_batch() -> None:
    """Kernels of matrix products treat rows that do not fill one in another way."""
    encoder, text = load_encoder("default"), random_text(150, seed=7)
    want = by_sentence(encoder, text)
    for size in (1, 2, 7, 40):
        for start in range(0, len(text), 31):
            some = text[start : start + size]
            for got, whole in zip(by_sentence(encoder, some), want[start:], strict=False):
                for name, vectors in whole.items():
                    np.testing.assert_array_equal(got[name], vectors)
