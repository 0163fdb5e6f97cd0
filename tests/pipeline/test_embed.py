"""The main job: text in, vectors in Parquet, every line accounted for."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm
from elmo_beam.elmo.formats.handles import read_weights
from tests.helpers.command import ROOT, Job, elmo_beam, ended, files_of, process, vectors
from tests.helpers.encoders import shared

LINES = [
    "\ufeffThe bank of the river.".encode(),  # a BOM
    b"  Money\tin  the bank \r",  # white space, CRLF
    b"",
    b"bad \xff line",
    "cafe\u0301 don't\u2028here".encode(),
    b"\x00 \x07",  # controls only
    b"last, without a line feed",
]
TEXT = b"\n".join(LINES)
OFFSETS = [sum(len(line) + 1 for line in LINES[:i]) for i in range(len(LINES))]
ROWS = [
    (0, "The bank of the river.", ["The", "bank", "of", "the", "river", "."]),
    (1, "Money in the bank", ["Money", "in", "the", "bank"]),
    (4, "café don't here", ["café", "don", "'t", "here"]),
    (6, "last, without a line feed", ["last", ",", "without", "a", "line", "feed"]),
]
COLUMNS = [
    ("shard", pa.string()),
    ("line", pa.int64()),
    ("offset", pa.int64()),
    ("sentence", pa.int32()),
    ("text", pa.string()),
    ("tokens", pa.list_(pa.string())),
    ("num_tokens", pa.int32()),
    ("truncated", pa.bool_()),
    ("elmo", pa.list_(pa.list_(pa.float32(), 8))),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Job:
    """A finished run over a text, the same compressed, and a file of other lines."""
    job = Job(tmp_path_factory.mktemp("done"), model)
    job.file("a.txt", TEXT)
    job.file("b.txt.gz", gzip.compress(TEXT))
    job.file("c.txt", "One bank.\n")
    job.embed().succeeds()
    return job


def test_every_column_has_the_promised_type(done: Job) -> None:
    for part in (done.out / "parts").iterdir():
        file = pq.ParquetFile(part)
        assert [(f.name, f.type) for f in file.schema_arrow] == COLUMNS
        chunk = file.metadata.row_group(0)
        assert {chunk.column(i).compression for i in range(chunk.num_columns)} == {"ZSTD"}


def test_every_value_is_exact_and_in_input_order(done: Job) -> None:
    expected = [
        {
            "shard": str(done.folder / "in" / name),
            "line": line,
            "offset": OFFSETS[line],
            "sentence": 0,
            "text": text,
            "tokens": tokens,
            "num_tokens": len(tokens),
            "truncated": False,
        }
        for name in ("a.txt", "b.txt.gz")
        for line, text, tokens in ROWS
    ]
    expected.append(
        {
            **expected[0],
            "shard": str(done.folder / "in" / "c.txt"),
            "text": "One bank.",
            "tokens": ["One", "bank", "."],
            "num_tokens": 3,
        }
    )
    assert done.rows().drop_columns(["elmo"]).to_pylist() == expected


def test_vectors_are_the_encoders(done: Job) -> None:
    rows = done.rows()
    encoder = shared(read_bilm(Path(done.model)))
    wanted = encoder.encode(rows["tokens"].to_pylist(), ["elmo"])["elmo"]
    np.testing.assert_allclose(vectors(rows, "elmo"), wanted, rtol=0, atol=1e-5)
    counts = [len(row) for row in rows["elmo"].to_pylist()]
    assert counts == rows["num_tokens"].to_pylist()


def test_the_folder_holds_what_its_layout_names_and_parts_hold_parts_only(done: Job) -> None:
    names = [name for name in files_of(done.out) if not name.startswith(".")]
    stem = r"pack-[0-9a-f]{16}"
    block = stem + r"-0{15}"
    layout = rf"parts/{block}\.parquet|rejects/{block}\.jsonl|blocks/{block}\.json"
    layout += rf"|plan/{stem}\.json|run\.json|manifest\.json|_SUCCESS"
    assert [name for name in names if not re.fullmatch(layout, name)] == []
    folders = [name.split("/")[0] for name in names if "/" in name]
    assert {f: folders.count(f) for f in set(folders)} == {
        "parts": 1,
        "blocks": 1,
        "plan": 1,
        "rejects": 1,
    }
    assert len(list((done.out / "parts").iterdir())) == 1  # no hidden ones either


def test_nothing_temporary_is_left(done: Job) -> None:
    assert {name for name in files_of(done.out) if "/." in f"/{name}"} <= {".lock"}


def test_manifest_has_the_accounts_of_the_run_and_of_each_shard(done: Job) -> None:
    manifest = done.manifest()
    each = {
        "complete": True,
        "lines": 7,
        "embedded": 4,
        "blank": 2,
        "rejected": {"invalid_utf8": 1},
        "rows": 4,
        "tokens": 20,
    }
    last = {**each, "lines": 1, "embedded": 1, "blank": 0, "rejected": {}, "rows": 1, "tokens": 3}
    folder = done.folder / "in"
    assert manifest["shards"] == [
        {**each, "shard": str(folder / "a.txt"), "blocks": 1},
        {**each, "shard": str(folder / "b.txt.gz"), "blocks": 1},
        {**last, "shard": str(folder / "c.txt"), "blocks": 1},
    ]
    total = {name: manifest[name] for name in each}
    assert total == {
        "complete": True,
        "lines": 15,
        "embedded": 9,
        "blank": 4,
        "rejected": {"invalid_utf8": 2},
        "rows": 9,
        "tokens": 43,
    }
    assert manifest["damaged"] == []


def test_manifest_has_settings_and_figures(done: Job) -> None:
    manifest = done.manifest()
    settings = manifest["settings"]
    assert settings["digest"] == read_bilm(Path(done.model)).digest
    assert (settings["outputs"], settings["format"]) == (["elmo"], "parquet")
    figures = manifest["figures"]
    parts = [data for name, (_, data) in files_of(done.out).items() if name.startswith("parts/")]
    assert figures["bytes"] == sum(map(len, parts))
    assert figures["steps"] == 2 * 43
    assert 0 < figures["nodes"] <= figures["steps"]
    assert 0 < figures["token_cache_misses"] <= figures["token_lookups"]


def test_rejects_say_which_line_why_and_what_it_was(done: Job) -> None:
    first = {
        "shard": str(done.folder / "in" / "a.txt"),
        "line": 3,
        "offset": OFFSETS[3],
        "reason": "invalid_utf8",
        "length": len(LINES[3]),
        "raw": "YmFkIP8gbGluZQ==",
    }
    assert done.rejects() == [first, {**first, "shard": str(done.folder / "in" / "b.txt.gz")}]


def test_the_summary_adds_up(job: Job) -> None:
    job.file("a.txt", TEXT)
    shown = job.embed("--verbose").succeeds().out
    assert shown.startswith(f"{job.out} is complete\n")
    for line in (
        r"lines +7",
        r"embedded +4 +\(4 rows, 20 tokens\)",
        r"blank +2",
        r"rejected +1 .*",
    ):
        assert re.search(rf"^ *{line}$", shown, re.MULTILINE), shown
    assert re.search(r"invalid_utf8 +1", shown)
    for figure in (
        "to start",
        "steps",
        "token cache",
        "model load",
        "kB",
        str(job.out / "rejects"),
    ):
        assert figure in shown, shown


def test_without_verbose_there_is_no_word_of_what_was_saved(job: Job) -> None:
    job.file("a.txt", "One bank .\n" * 400)
    shown = job.embed("--quiet").succeeds()
    assert shown.err == "" and "tokens/s" in shown.out and "rejects" not in shown.out
    assert not re.search("steps|cache|load", shown.out)


def test_again_there_is_nothing_to_do_and_no_file_is_touched(done: Job) -> None:
    before = files_of(done.out)
    done.embed().succeeds()
    assert files_of(done.out) == before


def test_again_neither_a_pipeline_starts_nor_is_tensorflow_imported(done: Job) -> None:
    """In a process of its own, because in this one both are imported already."""
    code = (
        "import sys\nfrom elmo_beam.pipeline.cli import run\ncode = run(sys.argv[1:])\n"
        "names = ('tensorflow', 'elmo_beam.transforms.embed_shards')\n"
        "print([name for name in names if name in sys.modules])\nsys.exit(code)"
    )
    words = [sys.executable, "-c", code, *done.command()]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_command_as_a_user_starts_it_with_the_model_inside(tmp_path: Path) -> None:
    job = Job(tmp_path, "default")
    job.file("a.txt", TEXT)
    ran = ended(process(*job.command("--outputs", "default,elmo")), 120).succeeds()
    assert "embedded" in ran.out
    rows = job.rows()
    encoder = shared(read_weights("default"))
    wanted = encoder.encode(rows["tokens"].to_pylist(), ["default", "elmo"])
    for name in ("default", "elmo"):
        np.testing.assert_allclose(vectors(rows, name), wanted[name], rtol=0, atol=1e-5)
    assert elmo_beam("verify", job.out).code == 0


def test_relative_paths_and_another_working_folder_name_the_same_run(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.file("a.txt", TEXT)
    monkeypatch.chdir(job.folder)
    relative = ["embed", "--input", "in/*.txt", "--output", "out", "--model", job.model]
    elmo_beam(*relative).succeeds()
    before = files_of(job.out / "parts")
    monkeypatch.chdir("/")
    job.embed().succeeds()
    assert files_of(job.out / "parts") == before
    assert job.manifest()["lines"] == 7


def test_a_file_named_twice_counts_once_and_a_name_like_a_glob_is_taken_as_it_is(job: Job) -> None:
    plain, odd = job.file("1.txt", "One bank.\n"), job.file("[1].txt", "Two banks.\n")
    job.embed(inputs=[plain, job.folder / "in" / "1*", odd, odd]).succeeds()
    assert [s["shard"] for s in job.manifest()["shards"]] == [str(plain), str(odd)]
    assert sorted(job.rows()["text"].to_pylist()) == ["One bank.", "Two banks."]
