"""Blocks of sentences to blocks with vectors: the model's own, in the order of the rows."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.transforms import Create, ParDo

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.model.outputs import output_names
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.embed import EmbeddedBlock, embed_block, sentences_of
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.outputs.schema import part_schema
from elmo_beam.transforms.steps import ElmoHandler
from elmo_beam.transforms.worker_errors import WorkerError, marked_user_error
from tests.helpers.blocks import (
    TINY,
    Keep,
    local_pipeline,
    model_settings,
    normalized,
    raw_block,
    rows_of,
    tiny_model,
)
from tests.helpers.encoders import shared
from tests.helpers.oracle import Oracle
from tests.helpers.refusal import refused

ALL = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo", "default")
LINES = [
    b"the cat sat on the mat .",
    b"the cat ran .",
    b"",
    b"one",
    b"the cat sat on the mat .",
    b"a much longer sentence than all of the others in this block , really",
    b"\xff",
    "d'été à Zürich".encode(),
]


def block_of(run: Settings, repeat: int = 1) -> SentenceBlock:
    return normalized(raw_block(LINES * repeat), run)


def assert_vectors_are(
    embedded: EmbeddedBlock, encoder: Encoder, run: Settings, tolerance: float = 1e-5
) -> None:
    """The part holds the block's rows, in order, next to the encoder's vectors of each alone."""
    kept = embedded.part.select(embedded.block.sentences.schema.names)
    assert kept.to_pylist() == rows_of(embedded.block)
    for row in embedded.part.to_pylist():
        alone = encoder.encode([row["tokens"]], run.outputs)
        for name in run.outputs:
            expected = alone[name][0] if name == "default" else alone[name]
            got = np.array(row[name], np.float32)
            assert got.shape == expected.shape
            np.testing.assert_allclose(got, expected, atol=tolerance)


def test_the_tiny_model_gives_every_output() -> None:
    assert tuple(output_names(TINY)) == ALL


@pytest.mark.parametrize("outputs", [ALL, ("elmo",), ("default",), ("word_emb", "default")])
def test_vectors_are_the_encoders_for_each_sentence_alone(
    model_folder: Path, outputs: tuple[str, ...]
) -> None:
    run = model_settings(model_folder, outputs=outputs)
    encoder = shared(tiny_model(model_folder))
    embedded = embed_block(block_of(run), encoder, run)
    assert embedded.part.schema == part_schema(run)
    embedded.part.validate(full=True)
    assert embedded.part.num_rows == 6
    assert_vectors_are(embedded, encoder, run)


def test_vectors_are_those_of_the_definition(model_folder: Path) -> None:
    run = model_settings(model_folder, outputs=ALL)
    embedded = embed_block(block_of(run), shared(tiny_model(model_folder)), run)
    oracle = Oracle(tiny_model(model_folder))
    for row in embedded.part.to_pylist():
        expected = oracle.encode(row["tokens"])
        for name in ALL:
            np.testing.assert_allclose(np.array(row[name]), expected[name], atol=1e-5)


def test_float16_is_the_same_vectors_rounded(model_folder: Path) -> None:
    run = model_settings(model_folder, outputs=ALL, dtype="float16")
    encoder = shared(tiny_model(model_folder))
    embedded = embed_block(block_of(run), encoder, run)
    assert embedded.part.schema == part_schema(run)
    assert_vectors_are(embedded, encoder, run, tolerance=1e-2)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_several_passes_give_what_one_pass_gives(model_folder: Path, dtype: str) -> None:
    run = model_settings(model_folder, outputs=ALL, dtype=dtype)
    weights = tiny_model(model_folder)
    block = block_of(run, repeat=20)
    whole = embed_block(block, shared(weights), run)
    small = Encoder(weights, memory=20_000)
    passes = list(small.passes(sentences_of(block.sentences), ALL))
    assert len(passes) > 3
    parts = embed_block(block, Encoder(weights, memory=20_000), run)  # with nothing in its cache
    assert parts.part.schema == whole.part.schema
    assert parts.part.num_rows == whole.part.num_rows == 120
    assert parts.part.drop_columns(list(ALL)).equals(whole.part.drop_columns(list(ALL)))
    for a, b in zip(parts.part.to_pylist(), whole.part.to_pylist(), strict=True):
        for name in ALL:
            np.testing.assert_allclose(np.array(a[name]), np.array(b[name]), atol=1e-5)
    assert parts.steps == whole.steps == 2 * sum(r["num_tokens"] for r in rows_of(block))
    assert whole.nodes < parts.nodes < whole.steps
    assert parts.lookups == sum(p.lookups for p in passes)
    assert parts.misses == sum(p.misses for p in passes)


def test_several_passes_leave_no_file_behind(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = model_settings(model_folder, outputs=("elmo",))
    embedded = embed_block(block_of(run, 20), shared(tiny_model(model_folder), 20_000), run)
    assert list(tmp_path.iterdir()) == []
    assert len(embedded.part.column("elmo").to_pylist()) == 120


def test_a_block_without_sentences_gives_an_empty_part_and_asks_nothing_of_the_model(
    model_folder: Path,
) -> None:
    run = model_settings(model_folder, outputs=ALL)

    class Untouchable:
        options = TINY

    block = normalized(raw_block([b"", b"\xff"]), run)
    embedded = embed_block(block, Untouchable(), run)  # type: ignore[arg-type]
    assert embedded.part.schema == part_schema(run)
    assert embedded.part.num_rows == 0
    counts = (embedded.steps, embedded.nodes, embedded.lookups, embedded.misses)
    assert counts == (0, 0, 0, 0)
    assert embedded.block is block


def test_tokens_reach_the_encoder_interned(model_folder: Path) -> None:
    run = model_settings(model_folder)
    block = block_of(run)
    found = sentences_of(block.sentences)
    lists = [row["tokens"] for row in rows_of(block)]
    assert found.to_lists() == lists
    assert sorted(found.vocabulary) == sorted({t for tokens in lists for t in tokens})
    middle = sentences_of(block.sentences.slice(2, 3))
    assert middle.to_lists() == lists[2:5]
    empty = sentences_of(block.sentences.slice(0, 0))
    assert isinstance(empty, Sentences)
    assert len(empty) == 0


def test_the_handler_embeds_blocks_one_by_one_in_a_pipeline(model_folder: Path) -> None:
    run = model_settings(model_folder, outputs=("elmo", "default"))
    encoder = shared(tiny_model(model_folder))
    names = [f"/in/{i}.txt" for i in range(3)]
    lines = [LINES, [b"", b"\xff"], [b"alone"]]
    blocks = [
        normalized(raw_block(some, shard=name), run)
        for name, some in zip(names, lines, strict=True)
    ]
    kept: list[EmbeddedBlock] = []
    with local_pipeline() as pipeline:
        embedded = pipeline | Create(blocks) | RunInference(ElmoHandler(run))
        _ = embedded | ParDo(Keep(kept))
    found = {embedded.block.key.pieces[0].shard: embedded for embedded in kept}
    assert sorted(found) == names
    assert len(kept) == 3
    for name, block in zip(names, blocks, strict=True):
        assert rows_of(found[name].block) == rows_of(block)
        assert found[name].block.rejects == block.rejects
        assert_vectors_are(found[name], encoder, run)


def test_another_model_than_the_command_saw_is_refused_in_one_line(model_folder: Path) -> None:
    run = model_settings(model_folder)
    other = Settings(**{**vars(run), "digest": "f" * 64})
    refusal = (
        "is not the same here .* as where the command runs .*: put the same model on every worker"
    )
    with pytest.raises(Exception, match=refusal) as caught, local_pipeline() as pipeline:
        _ = pipeline | Create([block_of(run)]) | RunInference(ElmoHandler(other))
    [line] = [line for line in str(caught.value).splitlines() if re.search(refusal, line)]
    for part in (str(model_folder), run.digest[:12], "f" * 12):
        assert part in line
    for raised in (str(caught.value), _worker_error(other)):
        error = marked_user_error(raised)
        assert error is not None
        with refused(model_folder, run.digest[:12], "f" * 12):
            raise error


def _worker_error(run: Settings) -> str:
    """What a worker raises when it loads the model."""
    with pytest.raises(WorkerError) as caught:
        ElmoHandler(run).load_model()
    return str(caught.value)


def test_the_handler_gives_beam_what_it_needs(model_folder: Path) -> None:
    run = model_settings(model_folder)
    handler, block = ElmoHandler(run), block_of(run)
    assert handler.should_skip_batching()
    assert handler.get_num_bytes(block) == block.sentences.nbytes
    assert handler.get_metrics_namespace() == "elmo"
    encoder = handler.load_model()
    [embedded] = handler.run_inference(block, encoder)
    assert embedded.part.equals(embed_block(block, encoder, run).part)
