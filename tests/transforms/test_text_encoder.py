"""Raw strings to vectors: those of the encoder on the tokens that the job makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms import text_encoder
from elmo_beam.transforms.inference import ElmoTexts
from elmo_beam.transforms.text.reader import TextReader
from elmo_beam.transforms.text_encoder import TextEncoder
from tests.helpers.blocks import make_settings, tiny_model
from tests.helpers.encoders import shared
from tests.helpers.refusal import refused

TEXTS = ["Mr. Fox\tsaid: “don't”!", "", "The river  bank.", " \u2003", "one", "The river bank."]
OUTPUTS = {"word_emb": 3, "lstm_outputs1": 6, "lstm_outputs2": 6, "elmo": 6, "default": 6}


@pytest.fixture(scope="module")
def encoder(model_folder: Path) -> TextEncoder:
    """A text encoder of the tiny model."""
    tiny_model(model_folder)
    return TextEncoder(str(model_folder))


def expected(folder: Path, texts: list[str], output: str, **settings: Any) -> list[np.ndarray]:
    """Each text's vectors by the encoder alone, on the tokens that the job makes of it."""
    reader = TextReader(make_settings(long_sentences="truncate", **settings))
    native = shared(tiny_model(folder))
    found = []
    for text in texts:
        tokens = [token for sentence in reader.sentences(text) for token in sentence.tokens]
        vectors = native.encode([tokens], [output])[output]
        found.append(vectors[0] if output == "default" else vectors)
    return found


def assert_same(got: list[np.ndarray], want: list[np.ndarray]) -> None:
    """One float32 array per text, within 1e-5."""
    assert isinstance(got, list)
    assert [array.shape for array in got] == [array.shape for array in want]
    for array, values in zip(got, want, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("output", OUTPUTS)
def test_vectors_are_the_encoders_on_the_jobs_tokens(
    encoder: TextEncoder, model_folder: Path, output: str
) -> None:
    got = encoder.encode(TEXTS, output)
    assert_same(got, expected(model_folder, TEXTS, output))
    assert encoder.dim(output) == OUTPUTS[output] == got[0].shape[-1]
    for i in (1, 3):  # without a token
        assert got[i].shape == ((6,) if output == "default" else (0, OUTPUTS[output]))
        assert not got[i].any()


def test_the_sentences_vector_is_the_default(encoder: TextEncoder) -> None:
    assert_same(encoder.encode(TEXTS), encoder.encode(TEXTS, "default"))
    assert encoder.dim() == 6


@pytest.mark.parametrize(
    "arguments",
    [
        {"tokenizer": "whitespace"},
        {"language": "fr"},
        {"max_tokens": 2},
        {"tokenizer": "whitespace", "max_tokens": 1},
    ],
)
def test_the_tokenizer_is_the_one_asked_for(model_folder: Path, arguments: dict[str, Any]) -> None:
    texts = ["L'amour, toujours l'amour.", *TEXTS]
    tiny_model(model_folder)
    got = TextEncoder(str(model_folder), **arguments).encode(texts, "elmo")
    assert_same(got, expected(model_folder, texts, "elmo", **arguments))


@pytest.mark.parametrize("output", ["default", "elmo"])
@pytest.mark.parametrize("show", [False, True])
def test_texts_are_encoded_some_at_a_time(
    encoder: TextEncoder,
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    output: str,
    show: bool,
) -> None:
    monkeypatch.setattr(text_encoder, "TEXTS_AT_ONCE", 4)
    got = encoder.encode(TEXTS, output, show_progress_bar=show)
    assert_same(got, expected(model_folder, TEXTS, output))
    assert ("100%" in capfd.readouterr().err) == show


def test_any_sequence_of_texts_is_taken_an_empty_one_too(encoder: TextEncoder) -> None:
    assert_same(encoder.encode(tuple(TEXTS)), encoder.encode(TEXTS))
    for show in (False, True):
        assert encoder.encode([], "elmo", show_progress_bar=show) == []


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        ("one text", ("`texts` 'one text' must be a list of strings", "put it into a list")),
        (b"one text", ("`texts` b'one text' must be", "decode it")),
        ([b"one text"], ("item 0 is b'one text': decode it",)),
        ({"one text"}, ("`texts` {'one text'} must be", "which has an order")),
        (None, ("`texts` None must be",)),
        (5, ("`texts` 5 must be",)),
        (np.array("one text"), ("`texts`", "must be")),
        (["one", None], ("item 1 is None",)),
        ([0.5], ("item 0 is 0.5",)),
        ([["one", "text"]], ("item 0 is ['one', 'text']",)),
        ({"text": ["one"]}, ("`texts` {'text': ['one']} must be a list", "one of its values")),
        (pd.DataFrame({"text": ["one"]}), ("`texts` is a DataFrame", "one of its columns")),
        (pl.DataFrame({"text": ["one"]}), ("`texts` is a DataFrame", "one of its columns")),
        (pa.table({"text": ["one"]}), ("`texts` is a Table", "one of its columns")),
        (pd.Series(["one", None]), ("item 1 is", "leave it out")),
        (pa.array(["one", None]), ("item 1 is None", "leave it out")),
    ],
)
def test_what_is_not_texts_is_refused(
    encoder: TextEncoder, texts: Any, parts: tuple[str, ...]
) -> None:
    with refused(*parts, kind=ArgumentError):
        encoder.encode(texts)
    with refused(*parts, kind=ArgumentError):
        list(encoder.stream(texts))
    with refused(*parts, kind=ArgumentError):
        list(ElmoTexts().run_inference(texts, encoder))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TEXTS, index=range(7, 13)),
        pd.Series(TEXTS, dtype=object),
        pl.Series(TEXTS),
        pa.array(TEXTS),
        pa.chunked_array([TEXTS[:2], TEXTS[2:]]),
        np.array(TEXTS),
    ],
    ids=lambda column: f"{type(column).__module__}.{type(column).__name__}",
)
def test_a_column_is_taken_as_it_is(encoder: TextEncoder, column: Any) -> None:
    assert_same(encoder.encode(column), encoder.encode(TEXTS))


@pytest.mark.parametrize("show", [False, True])
def test_a_stream_takes_texts_as_it_gives_vectors(
    encoder: TextEncoder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    show: bool,
) -> None:
    monkeypatch.setattr(text_encoder, "TEXTS_AT_ONCE", 2)
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in TEXTS:
            taken.append(text)
            yield text

    vectors, got = encoder.stream(texts(), "elmo", show_progress_bar=show), []
    assert taken == []
    for i, array in enumerate(vectors):
        got.append(array)
        assert len(taken) == 2 * (i // 2) + 2
    assert_same(got, encoder.encode(TEXTS, "elmo"))
    assert ("6 texts" in capfd.readouterr().err) == show


def test_a_stream_names_what_is_not_a_text_when_it_comes_to_it(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_encoder, "TEXTS_AT_ONCE", 2)
    texts: Any = iter(["one", "two", "three", None])
    vectors = encoder.stream(texts)
    assert len([next(vectors), next(vectors)]) == 2
    with refused("`texts` must be strings, but item 3 is None", kind=ArgumentError):
        next(vectors)


@pytest.mark.parametrize("texts", [TEXTS, []])
def test_an_output_that_the_model_lacks_is_refused(encoder: TextEncoder, texts: list[str]) -> None:
    pattern = r"`output` 'lstm_outputs3'.*lstm_outputs2, elmo, default"
    with pytest.raises(ArgumentError, match=pattern):
        encoder.encode(texts, "lstm_outputs3")
    for wrong in (["elmo", "default"], None):
        with refused(f"`output` {wrong!r} must be a string", kind=ArgumentError):
            encoder.encode(texts, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"tokenizer": "spacy"}, "`tokenizer` 'spacy'"),
        ({"language": "xx"}, "`language` xx"),
        ({"max_tokens": 0}, "`max_tokens` 0"),
        ({"precision": "float16"}, "`precision` 'float16'"),
    ],
)
def test_a_wrong_argument_is_refused(
    model_folder: Path, arguments: dict[str, Any], named: str
) -> None:
    tiny_model(model_folder)
    with pytest.raises(ArgumentError, match=named):
        TextEncoder(str(model_folder), **arguments)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with refused("no model", tmp_path / "none"):
        TextEncoder(str(tmp_path / "none"))
