"""Which vectors are written, and in what format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from elmo_beam import parse_tfrecord
from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from tests.helpers.command import Job, elmo_beam, random_lines, vectors
from tests.helpers.encoders import shared

PROCESSOR_FLAGS = "elmo_beam.elmo.encoder.precision.processor_flags"
TEXT = "The bank of the river.\nMoney in the bank\n\nbank\n"
TOKENS = [["The", "bank", "of", "the", "river", "."], ["Money", "in", "the", "bank"], ["bank"]]
OFFSETS = [0, 23, 42]
DIMS = {"word_emb": 4, "lstm_outputs1": 8, "lstm_outputs2": 8, "elmo": 8, "default": 8}


def encoded(job: Job, names: list[str]) -> dict[str, np.ndarray]:
    """What the encoder makes of the text."""
    return shared(read_bilm(Path(job.model))).encode(TOKENS, names)


@pytest.mark.parametrize(
    "asked",
    [
        ["word_emb"],
        ["default"],
        ["lstm_outputs2", "lstm_outputs1"],
        ["default", "elmo"],
        ["elmo", "default", "lstm_outputs2", "word_emb", "lstm_outputs1"],
    ],
)
def test_any_set_of_outputs_in_one_pass_is_the_encoders(job: Job, asked: list[str]) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", ",".join(asked)).succeeds()
    rows = job.rows()
    ordered = [name for name in DIMS if name in asked]
    assert rows.schema.names[8:] == ordered
    for name in ordered:
        vector = pa.list_(pa.float32(), DIMS[name])
        kind = vector if name == "default" else pa.list_(vector)
        assert rows.schema.field(name).type == kind
        wanted = encoded(job, [name])[name]
        np.testing.assert_allclose(vectors(rows, name), wanted, rtol=0, atol=1e-5)
    assert elmo_beam("verify", job.out).code == 0


def test_default_is_the_mean_over_a_sentences_tokens(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.embed("--outputs", "elmo,default").succeeds()
    rows = job.rows()
    means = [np.mean(tokens, axis=0) for tokens in rows["elmo"].to_pylist()]
    np.testing.assert_allclose(vectors(rows, "default"), means, rtol=0, atol=1e-5)


def sequence_records(job: Job, names: list[str]) -> list[dict[str, Any]]:
    """The parts as TensorFlow reads them, without our code."""
    context = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "num_tokens": tf.io.FixedLenFeature([], tf.int64),
    }
    if "default" in names:
        context["default"] = tf.io.FixedLenFeature([8], tf.float32)
    lists = {
        name: tf.io.FixedLenSequenceFeature([DIMS[name]], tf.float32)
        for name in names
        if name != "default"
    }
    lists["tokens"] = tf.io.FixedLenSequenceFeature([], tf.string)

    def read(record: tf.Tensor) -> dict[str, tf.Tensor]:
        found, sequences = tf.io.parse_single_sequence_example(record, context, lists)
        return {**found, **sequences}

    files = tf.io.gfile.glob(f"{job.out}/parts/*")
    return list(tf.data.TFRecordDataset(files).map(read).as_numpy_iterator())


def ids(job: Job) -> list[bytes]:
    """What the records' ids must be."""
    return [f"{job.folder}/in/a.txt:{offset}:0".encode() for offset in OFFSETS]


def test_tfrecord_of_tokens_reads_back_with_tf_data(job: Job) -> None:
    job.file("a.txt", TEXT)
    names = ["word_emb", "elmo", "default"]
    job.embed("--format", "tfrecord", "--outputs", ",".join(names)).succeeds()
    records = sequence_records(job, names)
    assert [r["id"] for r in records] == ids(job)
    assert [r["num_tokens"] for r in records] == [6, 4, 1]
    assert [[t.decode() for t in r["tokens"]] for r in records] == TOKENS
    wanted = encoded(job, names)
    for name in ("word_emb", "elmo"):
        flat = np.concatenate([r[name] for r in records])
        np.testing.assert_allclose(flat, wanted[name], rtol=0, atol=1e-5)
    means = np.stack([r["default"] for r in records])
    np.testing.assert_allclose(means, wanted["default"], rtol=0, atol=1e-5)
    assert {part.suffix for part in (job.out / "parts").iterdir()} == {".tfrecord"}


def test_tfrecord_padded_to_n_keeps_num_tokens_and_fills_with_nothing(job: Job) -> None:
    job.file("a.txt", TEXT)
    job.embed("--format", "tfrecord", "--pad_to", 8, "--max_tokens", 7).succeeds()
    records = sequence_records(job, ["elmo"])
    wanted = encoded(job, ["elmo"])["elmo"]
    start = 0
    for record, tokens in zip(records, TOKENS, strict=True):
        n = len(tokens)
        assert record["num_tokens"] == n
        assert [t.decode() for t in record["tokens"]] == tokens + [""] * (8 - n)
        assert record["elmo"].shape == (8, 8)
        np.testing.assert_allclose(record["elmo"][:n], wanted[start : start + n], atol=1e-5)
        np.testing.assert_array_equal(record["elmo"][n:], 0)
        start += n
    parts = tf.data.TFRecordDataset(tf.io.gfile.glob(f"{job.out}/parts/*"))
    batches = parts.map(lambda record: parse_tfrecord(record, {"elmo": 8})).batch(3)
    shapes = [batch["elmo"].shape for batch in batches]
    assert shapes == [(3, 8, 8)]


@pytest.mark.parametrize("padding", [[], ["--pad_to", 5000]])
def test_tfrecord_of_sentences_is_plain_examples(job: Job, padding: list[Any]) -> None:
    job.file("a.txt", TEXT)
    job.embed("--format", "tfrecord", "--outputs", "default", *padding).succeeds()
    features = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "num_tokens": tf.io.FixedLenFeature([], tf.int64),
        "default": tf.io.FixedLenFeature([8], tf.float32),
    }
    records = tf.data.TFRecordDataset(tf.io.gfile.glob(f"{job.out}/parts/*.tfrecord")).batch(9)
    (batch,) = [tf.io.parse_example(record, features) for record in records]
    assert list(batch["id"].numpy()) == ids(job)
    wanted = encoded(job, ["default"])["default"]
    np.testing.assert_allclose(batch["default"].numpy(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("names", [["default"], ["word_emb", "default"]])
def test_the_parse_function_that_ships_reads_what_is_written(job: Job, names: list[str]) -> None:
    job.file("a.txt", TEXT)
    job.embed("--format", "tfrecord", "--outputs", ",".join(names)).succeeds()
    dims = {name: DIMS[name] for name in names}
    files = tf.io.gfile.glob(f"{job.out}/parts/*.tfrecord")
    records = list(tf.data.TFRecordDataset(files).map(lambda r: parse_tfrecord(r, dims)))
    wanted = encoded(job, names)
    assert [r["id"].numpy() for r in records] == ids(job)
    means = [r["default"].numpy() for r in records]
    np.testing.assert_allclose(means, wanted["default"], rtol=0, atol=1e-5)
    if "word_emb" in names:
        flat = np.concatenate([r["word_emb"].numpy() for r in records])
        np.testing.assert_allclose(flat, wanted["word_emb"], rtol=0, atol=1e-5)


def test_vectors_that_pass_the_memory_go_through_in_several_passes(job: Job) -> None:
    job.file("a.txt", TEXT * 40)
    job.embed("--memory", "2k").succeeds()
    rows = job.rows()
    assert rows["tokens"].to_pylist() == TOKENS * 40
    wanted = np.concatenate([encoded(job, ["elmo"])["elmo"]] * 40)
    np.testing.assert_allclose(vectors(rows, "elmo"), wanted, rtol=0, atol=1e-5)


def test_precision_is_a_setting_of_the_run(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """On any processor: emulated, the arithmetic is the same."""
    monkeypatch.setattr(PROCESSOR_FLAGS, lambda: {"avx512_bf16"})
    job.file("a.txt", random_lines(20))
    job.embed().succeeds()
    exact = vectors(job.rows(), "elmo")
    job.embed("--precision", "bfloat16").refuses("precision", "float32", "bfloat16")
    rounded = Job(job.folder, job.model, "rounded")
    rounded.embed("--precision", "bfloat16").succeeds()
    error = np.linalg.norm(vectors(rounded.rows(), "elmo") - exact) / np.linalg.norm(exact)
    assert 1e-5 < error <= 0.01


def test_a_processor_without_bfloat16_is_refused_before_a_run_begins(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PROCESSOR_FLAGS, lambda: {"avx2"})
    job.file("a.txt", "A line.\n")
    job.embed("--precision", "bfloat16").refuses("--precision bfloat16 would be slower")
    assert not job.out.exists()
    flags = ("--precision", "bfloat16", "--encoder", "module")
    job.embed(*flags).refuses("--precision bfloat16 is for --encoder native", code=2)
