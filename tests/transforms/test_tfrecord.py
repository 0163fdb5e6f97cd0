"""TFRecord parts: what tf.data reads from them, padded or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from elmo_beam.elmo.backend import tf
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.outputs.schema import part_schema
from elmo_beam.transforms.outputs.tfrecord import parse_tfrecord
from tests.helpers.blocks import embedded_block, make_settings, normalized, raw_block

LINES = [b"a first sentence", b"\xff", "zweite Zeile, größer. Dritte.".encode(), b"end"]
TFRECORD = output_format("tfrecord")
TOKEN_OUTPUTS = ("word_emb", "lstm_outputs1", "lstm_outputs2", "elmo")
DIMS = {"word_emb": 3, "lstm_outputs1": 6, "lstm_outputs2": 6, "elmo": 6, "default": 6}


def written(path: Path, lines: list[bytes] = LINES, **changes: Any) -> tuple[pa.Table, Settings]:
    """Write a part of these lines; its rows."""
    run = make_settings(**{"format": "tfrecord", "split_sentences": True, **changes})
    table = embedded_block(normalized(raw_block(lines, shard="/in/a:b.txt"), run), run).part
    TFRECORD.write(table, run, str(path))
    return table, run


def read(path: Path, outputs: tuple[str, ...]) -> list[dict[str, Any]]:
    """The records as `tf.data` gives them."""
    dims = {name: DIMS[name] for name in outputs}
    dataset = tf.data.TFRecordDataset(str(path)).map(lambda record: parse_tfrecord(record, dims))
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("pad_to", [None, 5, 9])
@pytest.mark.parametrize("outputs", [TOKEN_OUTPUTS, ("elmo",), ("elmo", "default")])
def test_records_hold_tokens_and_vectors_padded_as_asked(
    tmp_path: Path, outputs: tuple[str, ...], pad_to: int | None
) -> None:
    table, _ = written(tmp_path / "a", outputs=outputs, pad_to=pad_to)
    rows = table.to_pylist()
    records = read(tmp_path / "a", outputs)
    assert len(records) == len(rows) == 4
    for record, row in zip(records, rows, strict=True):
        assert set(record) == {"id", "num_tokens", "tokens", *outputs}
        key = f"{row['shard']}:{row['offset']}:{row['sentence']}"
        assert (record["id"].decode(), record["num_tokens"]) == (key, row["num_tokens"])
        n, length = row["num_tokens"], pad_to or row["num_tokens"]
        padding = [""] * (length - n)
        assert [t.decode() for t in record["tokens"]] == [*row["tokens"], *padding]
        for name in outputs:
            vectors = record[name]
            if name == "default":
                assert np.array_equal(vectors, np.float32(row[name]))
                continue
            assert vectors.shape == (length, DIMS[name])
            assert np.array_equal(vectors[:n], np.float32(row[name]))
            assert not vectors[n:].any()
    ids = [record["id"].decode().rsplit(":", 2)[1:] for record in records]
    assert ids == [["0", "0"], ["19", "0"], ["19", "1"], ["51", "0"]]


def test_default_alone_is_an_example_and_all_else_a_sequence_example(tmp_path: Path) -> None:
    written(tmp_path / "a", outputs=("default",), pad_to=9)
    for raw in tf.data.TFRecordDataset(str(tmp_path / "a")).as_numpy_iterator():
        example = tf.train.Example.FromString(raw)
        assert set(example.features.feature) == {"id", "num_tokens", "default"}
        assert len(example.features.feature["default"].float_list.value) == 6

    written(tmp_path / "b", outputs=("elmo", "default"))
    for raw in tf.data.TFRecordDataset(str(tmp_path / "b")).as_numpy_iterator():
        sequence = tf.train.SequenceExample.FromString(raw)
        assert set(sequence.context.feature) == {"id", "num_tokens", "default"}
        assert set(sequence.feature_lists.feature_list) == {"tokens", "elmo"}


def test_examples_of_default_alone_are_parsed(tmp_path: Path) -> None:
    table, _ = written(tmp_path / "a", outputs=("default",))
    records = read(tmp_path / "a", ("default",))
    assert [r["num_tokens"] for r in records] == table["num_tokens"].to_pylist()
    got = np.stack([r["default"] for r in records])
    assert np.array_equal(got, np.float32(table["default"].to_pylist()))


def test_padded_records_can_be_batched(tmp_path: Path) -> None:
    table, _ = written(tmp_path / "a", outputs=("elmo",), pad_to=9)
    dataset = tf.data.TFRecordDataset(str(tmp_path / "a")).map(
        lambda r: parse_tfrecord(r, {"elmo": 6})
    )
    [batch] = dataset.batch(10).as_numpy_iterator()
    assert batch["elmo"].shape == (len(table), 9, 6)
    assert batch["tokens"].shape == (len(table), 9)


@pytest.mark.parametrize("pad_to", [None, 9])
@pytest.mark.parametrize("outputs", [("elmo", "default"), ("default",), ("word_emb",)])
def test_what_is_read_back_is_what_was_written(
    tmp_path: Path, outputs: tuple[str, ...], pad_to: int | None
) -> None:
    assert TFRECORD.dtypes == ("float32",)
    table, run = written(tmp_path / "a", outputs=outputs, pad_to=pad_to)
    back = TFRECORD.read(str(tmp_path / "a"), run, None)
    tokens = [] if outputs == ("default",) else ["tokens"]
    names = ["shard", "offset", "sentence", *tokens, "num_tokens", *outputs]
    assert back.column_names == names == TFRECORD.columns(run)
    some = [outputs[-1], "offset"]
    assert back.schema == pa.schema([part_schema(run).field(name) for name in names])
    assert TFRECORD.read(str(tmp_path / "a"), run, some).equals(back.select(some))
    for got, row in zip(back.to_pylist(), table.to_pylist(), strict=True):
        for name in names:
            if name in DIMS:
                assert np.array_equal(np.float32(got[name]), np.float32(row[name]))
            else:
                assert got[name] == row[name]


def test_more_rows_than_one_batch_keep_their_order(tmp_path: Path) -> None:
    lines = [b"line %d of many" % i for i in range(200)]
    table, run = written(tmp_path / "a", lines, outputs=("elmo",))
    back = TFRECORD.read(str(tmp_path / "a"), run, None)
    assert back["tokens"].to_pylist() == table["tokens"].to_pylist()
    assert np.array_equal(
        np.concatenate([np.float32(v) for v in back["elmo"].to_pylist()]),
        np.concatenate([np.float32(v) for v in table["elmo"].to_pylist()]),
    )


def test_an_empty_part_has_no_records(tmp_path: Path) -> None:
    run = make_settings(format="tfrecord")
    empty = part_schema(run).empty_table()
    TFRECORD.write(empty, run, str(tmp_path / "a"))
    assert (tmp_path / "a").exists()
    assert read(tmp_path / "a", ("elmo",)) == []
    assert TFRECORD.read(str(tmp_path / "a"), run, None).num_rows == 0


def test_a_damaged_record_is_seen_when_it_is_read(tmp_path: Path) -> None:
    _, run = written(tmp_path / "a")
    data = bytearray((tmp_path / "a").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        TFRECORD.read(str(tmp_path / "a"), run, None)
