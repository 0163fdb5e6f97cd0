"""Parquet parts in Spark 3.5: at its defaults it reads plain vectors, and no others.

Spark is too large to come with the test extra. The test wants pyspark beside it, or the Python of
an environment that has it in ELMO_BEAM_SPARK_PYTHON; and Java.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.settings_checks import PARQUET_ENCODINGS
from tests.helpers.blocks import embedded_block, make_settings, normalized, raw_block

SPARK_PYTHON = os.environ.get("ELMO_BEAM_SPARK_PYTHON") or (
    sys.executable if importlib.util.find_spec("pyspark") else ""
)
# Prints the rows of each folder as JSON, or what Spark says instead.
READ = """
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
for folder in sys.argv[1:]:
    try:
        rows = spark.read.parquet(folder).collect()
        print(json.dumps([row.asDict() for row in rows]))
    except Exception as error:
        print(json.dumps(str(error)))
"""
pytestmark = [
    pytest.mark.skipif(not SPARK_PYTHON, reason="no pyspark, and no ELMO_BEAM_SPARK_PYTHON"),
    pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java"),
]


def test_spark_reads_plain_vectors_at_its_defaults(tmp_path: Path) -> None:
    rows = []
    for encoding in PARQUET_ENCODINGS:
        run = make_settings(outputs=("word_emb", "elmo", "default"), parquet_encoding=encoding)
        block = normalized(raw_block([b"a first sentence", "zweite, größer".encode()]), run)
        table = embedded_block(block, run).part
        folder = tmp_path / encoding
        folder.mkdir()
        output_format("parquet").write(table, run, str(folder / "a.parquet"))
        rows.append(table.to_pylist())
    assert rows[0] == rows[1]
    command = [SPARK_PYTHON, "-c", READ, *(str(tmp_path / name) for name in PARQUET_ENCODINGS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    split, plain = (json.loads(line) for line in ran.stdout.splitlines())
    assert plain == rows[0]
    # Once this fails, docs/formats.md can say that Spark needs no flag.
    assert "Unsupported encoding: BYTE_STREAM_SPLIT" in split
