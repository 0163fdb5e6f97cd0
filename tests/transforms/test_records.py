"""Records that a scan finds: the same however a text arrives, and however it is cut into blocks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.conllu import sentence_bounds
from elmo_beam.transforms.inputs.delimited import record_scan
from elmo_beam.transforms.inputs.fasta import sequence_bounds
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.lines import Record
from elmo_beam.transforms.inputs.records import BOM, Scan, after_mark
from elmo_beam.transforms.inputs.shards import Damaged
from elmo_beam.transforms.inputs.text import line_bounds
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import COMPRESSIONS, LIMIT, make_settings, records_of, write_shard

Bounds = Callable[[bytes], list[int]]


def slow_lines(data: bytes) -> list[int]:
    return [0, *(match.end() for match in re.finditer(rb"[^\n]*\n|[^\n]+\Z", data))]


def slow_sentences(data: bytes) -> list[int]:
    starts, before, at = [], False, 0
    for line in data.split(b"\n"):
        filled = bool(line.strip(b" \t\v\f\r"))
        if filled and not before:
            starts.append(at)
        before, at = filled, at + len(line) + 1
    return [*starts, len(data)] if starts else []


def slow_sequences(data: bytes) -> list[int]:
    starts = [m.start() for m in re.finditer(rb"(?:\A|(?<=[\r\n]))>", data)]
    return [*starts, len(data)] if starts else []


def slow_rows(data: bytes) -> list[int]:
    """A state machine, byte by byte; raises Damaged where a quote stays open."""
    bounds, state = [0], "start"  # of a field; else in "plain", "quoted" or "closed"
    for i, byte in enumerate(data):
        if state == "quoted":
            state = "closed" if byte == ord('"') else "quoted"
        elif byte == ord('"') and state in ("start", "closed"):
            state = "quoted"
        elif byte in b",\n":
            state = "start"
            bounds += [i + 1] if byte == ord("\n") else []
        else:
            state = "plain"
    if state == "quoted":
        raise Damaged("open")
    return bounds if bounds[-1] == len(data) else [*bounds, len(data)]


KINDS: dict[str, tuple[Scan, Bounds, list[bytes]]] = {
    "lines": (line_bounds, slow_lines, [b"a", b"\n", b"\r\n"]),
    "sentences": (sentence_bounds, slow_sentences, [b"a", b"\n", b"\r", b" ", b"\t", b"#", b"\0"]),
    "sequences": (sequence_bounds, slow_sequences, [b">", b"\n", b"\r", b"M", b" ", b";"]),
    "rows": (record_scan(","), slow_rows, [b'"', b'"', b",", b"\n", b"\r\n", b"a"]),
}


def found(scan: Scan, chunks: Iterable[bytes], position: int = 0) -> list[int] | None:
    """All bounds, None if the text is damaged."""
    try:
        return [int(bound) for array in scan(chunks, position) for bound in array]
    except Damaged:
        return None


def expected(slow: Bounds, data: bytes) -> list[int] | None:
    try:
        return slow(data)
    except Damaged:
        return None


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_any_chunking_gives_the_records_of_the_definition(kind: str, data: st.DataObject) -> None:
    scan, slow, pieces = KINDS[kind]
    text = b"".join(data.draw(st.lists(st.sampled_from(pieces), max_size=25)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    want = expected(slow, text)
    assert found(scan, chunks) == want
    assert found(scan, chunks, 7) == (want and [bound + 7 for bound in want])
    marked = [BOM[:1], BOM[1:], *chunks]
    assert found(after_mark(scan), marked) == (want and [bound + 3 for bound in want])
    if want:  # what lies between two bounds has the same bounds in it
        first, last = want[0], want[-1]
        if first < last:
            assert found(scan, [text[first:last]], first) == want
        for start, end in pairwise(want):
            assert found(scan, [text[start:end]], start) == [start, end]


@pytest.mark.parametrize("pieces", [1, 2, 5, 4 << 20])
def test_a_scan_of_many_rows_is_that_of_the_definition(pieces: int) -> None:
    text = b"id,text\n" + b'7,"a ""b""\n, c"\r\n8,5" pipe\n,"x"y"z"\n\n' * 500
    chunks = [text[i : i + pieces] for i in range(0, len(text), pieces)]
    assert found(record_scan(","), chunks) == slow_rows(text)


TEXTS = {
    "a.conllu": b"\n\n# sent_id = 1\n1\tA" + b"\t_" * 8 + b"\n\n \n1\tB" + b"\t_" * 8 + b"\n",
    "a.fasta": b"\n;made up\n>one\nMK\nV\n>two\r\n\r\nm k\n>three\n",
    "a.csv": b'text,label\none,1\n"two\nlines",2\n\nthree,3',
    "a.tsv": b'text\tlabel\r\none\t1\r\n"two\r\nlines"\t2\r\n\r\nthree\t3\r\n',
}


@pytest.mark.parametrize("name", TEXTS)
def test_rows_are_the_same_in_blocks_of_any_size_and_however_compressed(
    tmp_path: Path, name: str
) -> None:
    data = TEXTS[name]
    whole = records_of(write_shard(tmp_path / name, data))
    assert len(whole) == {"a.conllu": 2, "a.fasta": 3}.get(name, 4)
    for suffix in COMPRESSIONS:
        path = write_shard(tmp_path / f"{name}{suffix}", data)
        for size in (1, 5, 20, 40):
            assert records_of(path, block_size=size) == whole
    marked = records_of(write_shard(tmp_path / f"marked{name}", BOM + data))
    assert marked == [(offset + 3, record) for offset, record in whole]


@pytest.mark.parametrize(
    ("name", "begin", "fill", "end"),
    [
        ("a.conllu", b"# sent_id = 1\n1\t", b"x", b"\ta\tX\t_\t_\t_\t_\t_\t_\n\n"),
        ("a.fasta", b">one\n", b"M" * 63 + b"\n", b""),
        ("a.csv", b'"', b"x\n", b'",1\n'),
    ],
)
def test_a_record_over_a_mebibyte_is_rejected_and_its_neighbours_are_not(
    tmp_path: Path, name: str, begin: bytes, fill: bytes, end: bytes
) -> None:
    header = b"text,label\n" if name == "a.csv" else b""
    small = begin + fill + end
    for size in (1 << 18, 8 << 20):
        large = begin + fill * ((LIMIT + 100) // len(fill)) + end
        path = write_shard(tmp_path / name, header + small + large + small)
        got = records_of(path, block_size=size)
        assert [record == "line_too_long" for _, record in got] == [False, True, False]
        starts = np.cumsum([len(header), len(small), len(large)]).tolist()
        assert [offset for offset, _ in got] == starts


def csv_text(rows: list[list[str]], line_end: str, quoting: int) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator=line_end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue()


SIGNS = st.sampled_from(list('a",\n\r\t é\ufeff')) | st.characters(
    codec="utf-8", exclude_characters="\0"
)
FIELD = st.text(SIGNS, max_size=6)
DIALECTS = [  # after a line feed alone, the writer leaves a carriage return without quotes
    ("\r\n", csv.QUOTE_MINIMAL),
    ("\r\n", csv.QUOTE_ALL),
    ("\n", csv.QUOTE_ALL),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD).map(list), max_size=8),
    dialect=st.sampled_from(DIALECTS),
    size=st.integers(1, 60),
)
@example([["", "\r", ""]], DIALECTS[0], 1)
def test_what_pythons_writer_writes_is_read_as_its_reader_reads_it(
    tmp_path: Path, rows: list[list[str]], dialect: tuple[str, int], size: int
) -> None:
    header = ["id", "text", "a,b"]
    text = csv_text([header, *rows], *dialect)
    path = write_shard(tmp_path / "a.csv", text.encode())
    assert list(csv.reader(io.StringIO(text, newline=""))) == [header, *rows]
    got = records_of(path, block_size=size, id_field="id", keep_fields=("a,b",))
    at, want = len(csv_text([header], *dialect).encode()), []
    for row in rows:
        want.append((at, Record(row[1], row[0], fields={"a,b": row[2]})))
        at += len(csv_text([row], *dialect).encode())
    assert got == want


def test_a_file_that_changes_between_planning_and_reading_is_damaged(tmp_path: Path) -> None:
    for name, data in TEXTS.items():
        path = write_shard(tmp_path / name, data)
        run = make_settings()
        plan = make_plan(path, run)
        Path(path).write_bytes(data.replace(b"\n", b"x").replace(b'"', b"y"))
        with pytest.raises(Damaged):
            list(input_format(path).read(plan.shard, plan.blocks, run))
