"""ELMo in other people's pipelines: the same vectors as the encoder's, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.ml.transforms.base import MLTransform
from apache_beam.testing.util import assert_that

from elmo_beam.transforms.inference import ElmoEmbeddings, ElmoTexts
from tests.helpers.blocks import local_pipeline, tiny_model
from tests.helpers.encoders import shared
from tests.helpers.refusal import refused

TEXTS = ["The bank\tof the river.", "", "Don't — naïve!", "The bank of the river.", "  "]
TOKENS = [
    ["The", "bank", "of", "the", "river", "."],
    [],
    ["Don", "'t", "—", "naïve", "!"],
    ["The", "bank", "of", "the", "river", "."],
    [],
]


def expected(folder: Path, output: str) -> list[np.ndarray]:
    """Each text's vectors by the encoder alone."""
    encoder = shared(tiny_model(folder))
    return [encoder.encode([tokens], [output])[output] for tokens in TOKENS]


def close_to(want: dict[int, np.ndarray]) -> Callable[[Any], None]:
    """A check that a collection of (number, vectors) holds these."""

    def check(found: list[tuple[int, Any]]) -> None:
        assert sorted(key for key, _ in found) == sorted(want)
        for key, vectors in found:
            got = np.asarray(vectors, np.float32)
            if not want[key].size:  # an empty list has lost the vectors' width
                got = got.reshape(want[key].shape)
            np.testing.assert_allclose(got, want[key], rtol=0, atol=1e-5)

    return check


@pytest.mark.parametrize("output", ["default", "word_emb", "lstm_outputs2", "elmo"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_run_inference_over_texts(model_folder: Path, output: str, size: int) -> None:
    want = expected(model_folder, output)
    if output == "default":
        want = [vectors[0] for vectors in want]
    handler = ElmoTexts(str(model_folder), output, max_batch_size=size)
    with local_pipeline() as pipeline:
        found = (
            pipeline
            | beam.Create(list(enumerate(TEXTS)))
            | RunInference(KeyedModelHandler(handler))
        )
        vectors = found | beam.MapTuple(lambda key, result: (key, result.inference))
        assert_that(vectors, close_to(dict(enumerate(want))))
        texts = found | beam.MapTuple(lambda key, result: (key, result.example))
        assert_that(texts, lambda got: _same(dict(got), dict(enumerate(TEXTS))), label="texts")


def _same(got: object, want: object) -> None:
    assert got == want


def test_shapes_and_types(model_folder: Path) -> None:
    tiny_model(model_folder)
    model = ElmoTexts(str(model_folder)).load_model()
    for output, shapes in (("default", [(6,)] * 5), ("elmo", [(len(t), 6) for t in TOKENS])):
        vectors = model.encode(TEXTS, output)
        assert [v.shape for v in vectors] == shapes
        assert {v.dtype for v in vectors} == {np.dtype(np.float32)}
        assert not vectors[1].any()


@pytest.mark.parametrize(
    ("arguments", "tokens"),
    [({}, 3), ({"tokenizer": "whitespace"}, 2), ({"max_tokens": 2}, 2)],
)
def test_the_tokenizer_and_the_longest_text(
    model_folder: Path, arguments: dict[str, Any], tokens: int
) -> None:
    tiny_model(model_folder)
    model = ElmoTexts(str(model_folder), "elmo", **arguments).load_model()
    [vectors] = model.encode(["The river."], "elmo")
    assert vectors.shape == (tokens, 6)


def test_a_tokenizer_or_language_that_is_not_there() -> None:
    with refused("`tokenizer` 'Whitespace'", "moses, whitespace"):
        ElmoTexts(tokenizer="Whitespace")
    with refused("`language` xx", "de, "):
        ElmoTexts(language="xx")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with refused("no model", tmp_path / "none"):
        ElmoTexts(str(tmp_path / "none")).load_model()


@pytest.mark.parametrize(("rows", "output"), [(dict, "default"), (beam.Row, "elmo")])
def test_ml_transform_fills_the_columns_and_keeps_the_rest(
    model_folder: Path, tmp_path: Path, rows: type, output: str
) -> None:
    want = expected(model_folder, output)
    if output == "default":
        want = [vectors[0] for vectors in want]
    embeddings = ElmoEmbeddings(["text", "title"], model=str(model_folder), output=output)
    number = _number_of_row if rows is beam.Row else _number
    numbered = [{"n": i, "text": text, "title": TEXTS[0]} for i, text in enumerate(TEXTS)]
    first = MLTransform(write_artifact_location=str(tmp_path)).with_transform(embeddings)
    again = MLTransform(read_artifact_location=str(tmp_path))
    for transform in (first, again):  # what it wrote is read back by a later pipeline
        with local_pipeline() as pipeline:
            # A new dictionary for each row: Beam puts the vectors into those that it is given.
            found = (
                pipeline | beam.Create(numbered) | beam.Map(lambda row, to: to(**row), rows) |
                transform | beam.Map(number)
            )  # fmt: skip
            texts = found | "texts" >> beam.Map(lambda row: row[:2])
            assert_that(texts, close_to(dict(enumerate(want))), label="text")
            titles = found | "titles" >> beam.Map(lambda row: (row[0], row[2]))
            assert_that(titles, close_to(dict.fromkeys(range(5), want[0])), label="title")


def _number(row: dict[str, Any]) -> tuple[int, list[Any], list[Any]]:
    return row["n"], row["text"], row["title"]


def _number_of_row(row: Any) -> tuple[int, list[Any], list[Any]]:
    return row.n, row.text, row.title
