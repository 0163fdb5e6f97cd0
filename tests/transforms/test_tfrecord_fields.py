"""Kept fields in TFRecord: the features that tf.data reads, and the columns that come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.inputs.fields import type_text
from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.outputs.tfrecord import parse_tfrecord
from elmo_beam.transforms.outputs.tfrecord_fields import from_features, to_features
from tests.helpers.blocks import embedded_block, make_settings, normalized, raw_block
from tests.helpers.fields import columns
from tests.helpers.refusal import refused

TFRECORD = output_format("tfrecord")
KINDS = {
    "i": "int8", "u": "uint64", "b": "bool", "f": "float32", "d": "float64", "s": "string",
    "l": "list<int64>", "when": "timestamp[us]", "day": "date32[day]",
}  # fmt: skip
LINE = b"""{"text": "one two", "i": -7, "u": 18446744073709551615, "b": true, "f": 1.5, "d": 0.1,
"s": "\xc3\xa9", "l": [1, null], "when": "1970-01-01 00:00:01", "day": "1970-01-03"}"""


def written(path: Path, **changes: Any) -> pa.Table:
    """A part with the fields above, of which the second row has none; its rows."""
    entries = tuple(f"{name}:{kind}" for name, kind in KINDS.items())
    run = make_settings(format="tfrecord", keep_fields=entries, **changes)
    lines = [LINE.replace(b"\n", b" "), b'{"text": "three"}']
    table = embedded_block(normalized(raw_block(lines, shard="/in/a.jsonl"), run), run).part
    TFRECORD.write(table, run, str(path))
    back = TFRECORD.read(str(path), run, None)
    assert back.column_names == TFRECORD.columns(run)
    assert back.column_names[3:][: len(KINDS)] == [*KINDS]
    exact = [name for name in KINDS if name != "d"]
    assert back.select(exact).equals(table.select(exact))
    assert back["d"].to_pylist() == [float(np.float32(0.1)), None]
    assert TFRECORD.read(str(path), run, ["s", "i"]).equals(back.select(["s", "i"]))
    return table


@pytest.mark.parametrize("outputs", [("elmo",), ("default",), ("default", "elmo")])
def test_a_record_has_a_feature_for_each_field_that_is_not_null(
    tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    written(tmp_path / "a", outputs=outputs)
    dims = dict.fromkeys(outputs, 6)
    parsed = tf.data.TFRecordDataset(str(tmp_path / "a")).map(
        lambda record: parse_tfrecord(record, dims, fields=KINDS)
    )
    first, second = parsed.as_numpy_iterator()
    found = {name: first[name] for name in KINDS}
    assert found == {
        "i": -7, "u": -1, "b": 1, "f": 1.5, "d": np.float32(0.1), "s": "é".encode(),
        "l": b"[1, null]", "when": 1_000_000, "day": 2,
    }  # fmt: skip
    assert [first[name].dtype for name in "ifb"] == ["int64", "float32", "int64"]
    assert {name: second[name] for name in ("i", "b", "s", "l", "day")} == {
        "i": 0, "b": 0, "s": b"", "l": b"", "day": 0
    }  # fmt: skip
    assert np.isnan(second["f"]) and np.isnan(second["d"])
    for raw, names in zip(
        tf.data.TFRecordDataset(str(tmp_path / "a")).as_numpy_iterator(), (KINDS, ()), strict=True
    ):
        whole = outputs == ("default",)
        message: Any = tf.train.Example if whole else tf.train.SequenceExample
        features = message.FromString(raw)
        has = {*(features.features if whole else features.context).feature}
        assert has & {*KINDS} == {*names}


@settings(max_examples=50)
@given(columns(durations=True))
def test_every_column_comes_back_from_its_features(column: pa.Array) -> None:
    """Exactly, but for float64, which has the precision of float32."""
    values = []
    for feature in to_features(column):
        kind = feature and feature.WhichOneof("kind")
        values.append(getattr(feature, kind).value[0] if kind else None)
    back = from_features(values, column.type)
    want = column
    if column.type == pa.float64():
        want = column.cast(pa.float32(), safe=False).cast(pa.float64())
    assert back.type == want.type
    assert repr(back.to_pylist()) == repr(want.to_pylist()), type_text(column.type)


def test_a_type_that_is_none_is_refused() -> None:
    with refused("`keep_fields`", "no type words", kind=ArgumentError):
        parse_tfrecord(b"", {"elmo": 6}, fields={"label": "words"})
