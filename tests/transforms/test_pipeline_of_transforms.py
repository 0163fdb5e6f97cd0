"""The steps of the job as Beam runs them, each on its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apache_beam import Create, FlatMap, Map, ParDo
from apache_beam.testing.util import assert_that, equal_to

from elmo_beam.transforms.accounts import BlockKey, part_path, read_accounts
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.shards import CHANGED, stat_shard
from elmo_beam.transforms.normalize import SentenceBlock
from elmo_beam.transforms.plan import (
    Plan,
    Span,
    holds,
    make_plan,
    plan_shard,
    recorded_plan,
    spans_of,
    write_plan,
)
from elmo_beam.transforms.read import RawBlock, read_span
from elmo_beam.transforms.steps import PlanShards, ReadSentences, WriteBlocks
from elmo_beam.transforms.worker_errors import marked_user_error
from elmo_beam.transforms.write import write_block
from tests.helpers.blocks import (
    Keep,
    embedded_block,
    local_pipeline,
    make_settings,
    normalized,
    raw_block,
    slow_blocks,
    write_shard,
)
from tests.helpers.refusal import refused

TEXT = b"".join(b"line number %d\n" % i for i in range(100))
RUN = make_settings(block_size=100)


def flat(span: Span) -> tuple[str, str, list[int]]:
    starts = [key.pieces[0].block.start for key in span.keys]
    return os.path.basename(span.shard.path), span.content, starts


def lines_of(block: RawBlock) -> list[tuple[str, int, bytes]]:
    [piece], [table] = block.key.pieces, block.tables
    name = os.path.basename(piece.shard)
    return [(name, row["offset"], row["raw"]) for row in table.to_pylist()]


def sentences_of(block: SentenceBlock) -> list[tuple[str, int, list[str]]]:
    rows = block.sentences.to_pylist()
    return [(os.path.basename(r["shard"]), r["offset"], r["tokens"]) for r in rows]


def commit(layout: Layout, raw: RawBlock, run: Settings = RUN) -> None:
    """What the rest of the pipeline would make of a block."""
    write_block(layout, run, embedded_block(normalized(raw, run), run))


def test_plan_shards_gives_spans_and_puts_plans_on_record(layout: Layout, tmp_path: Path) -> None:
    good = write_shard(tmp_path / "a.txt", TEXT)
    packed = write_shard(tmp_path / "b.txt.gz", TEXT)
    empty = write_shard(tmp_path / "c.txt", b"")
    damaged = str(tmp_path / "d.txt.gz")
    Path(damaged).write_bytes(b"no gzip")
    gone = str(tmp_path / "e.txt")
    starts = [b.start for b in slow_blocks(TEXT, 100)]
    assert len(starts) == 17
    content = make_plan(good, RUN).content
    expected = [("a.txt", content, starts[:16]), ("a.txt", content, starts[16:])]
    expected += [("b.txt.gz", content, starts[i : i + 2]) for i in range(0, 17, 2)]
    paths = [good, packed, empty, damaged, gone]
    with local_pipeline() as pipeline:
        spans = pipeline | Create(paths) | ParDo(PlanShards(layout, RUN)) | Map(flat)
        assert_that(spans, equal_to(expected))
    for path in paths:
        plan = recorded_plan(layout, path)
        assert plan is not None
        assert plan == make_plan(path, RUN)
        assert (plan.damaged is None) == (path != damaged)
        assert (plan.unread is None) == (path != gone)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.zst"])
def test_read_sentences_gives_every_line_once(layout: Layout, tmp_path: Path, name: str) -> None:
    path = write_shard(tmp_path / name, TEXT)
    spans = list(spans_of(plan_shard(layout, path, RUN)))
    lines = [f"line number {i}" for i in range(100)]
    offsets = [sum(len(line) + 1 for line in lines[:i]) for i in range(100)]
    expected = [(name, offset, line.split()) for offset, line in zip(offsets, lines, strict=True)]
    with local_pipeline() as pipeline:
        blocks = pipeline | Create(spans) | ParDo(ReadSentences(layout, RUN))
        assert_that(blocks | FlatMap(sentences_of), equal_to(expected))


def test_read_sentences_skips_blocks_that_are_done(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", TEXT)
    plan = plan_shard(layout, path, RUN)
    blocks = [block for span in spans_of(plan) for block in read_span(layout, span, RUN)]
    assert [b.key for b in blocks] == plan.keys
    done = {0, 5, 6, 16}
    for i in done:
        commit(layout, blocks[i])
    expected = [block.start for i, block in enumerate(plan.blocks) if i not in done]
    with local_pipeline() as pipeline:
        left = pipeline | Create(list(spans_of(plan))) | ParDo(ReadSentences(layout, RUN))
        assert_that(left | Map(lambda block: block.key.pieces[0].block.start), equal_to(expected))


def test_a_span_that_is_all_done_does_not_open_its_file(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", b"one\ntwo\n")
    plan = plan_shard(layout, path, RUN)
    [span] = spans_of(plan)
    for raw in read_span(layout, span, RUN):
        commit(layout, raw)
    os.remove(path)
    assert list(read_span(layout, span, RUN)) == []
    assert recorded_plan(layout, path) == plan


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.parquet"])
def test_a_file_that_changed_since_its_plan_is_damaged_and_not_read(
    layout: Layout, tmp_path: Path, name: str
) -> None:
    path = shard_of(tmp_path / name, [b"some text"] * 50)
    plan = plan_shard(layout, path, RUN)
    shard_of(tmp_path / name, [b"some text"] * 51)
    assert read_in_a_pipeline(layout, plan) == 0
    marked = recorded_plan(layout, path)
    assert marked is not None
    assert (marked.damaged, marked.blocks, marked.good) == (CHANGED, [], False)
    assert not holds(marked, path, RUN)
    assert plan_shard(layout, path, RUN).good


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.parquet"])
def test_a_file_that_is_gone_since_its_plan_keeps_its_blocks(
    layout: Layout, tmp_path: Path, name: str
) -> None:
    path = shard_of(tmp_path / name, [b"some text"] * 50)
    plan = plan_shard(layout, path, RUN)
    os.remove(path)
    assert read_in_a_pipeline(layout, plan) == 0
    assert recorded_plan(layout, path) == replace(plan, unread="No such file or directory")


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.parquet"])
def test_a_new_time_with_the_old_content_changes_nothing(
    layout: Layout, tmp_path: Path, name: str
) -> None:
    path = shard_of(tmp_path / name, [b"some text"] * 50)
    plan = plan_shard(layout, path, RUN)
    os.utime(path, (0, 1.5))
    assert read_in_a_pipeline(layout, plan) == len(plan.blocks)
    assert recorded_plan(layout, path) == replace(plan, shard=stat_shard(path))


def read_in_a_pipeline(layout: Layout, plan: Plan) -> int:
    """How many blocks ReadSentences gives; they are those of the plan."""
    found: list[BlockKey] = []
    for span in spans_of(plan):
        found += [raw.key for raw in read_span(layout, span, RUN)]
    with local_pipeline() as pipeline:
        blocks = pipeline | Create(list(spans_of(plan))) | ParDo(ReadSentences(layout, RUN))
        assert_that(blocks | Map(lambda b: b.key), equal_to(found))
    assert found in ([], plan.keys)
    return len(found)


def shard_of(path: Path, lines: list[bytes]) -> str:
    """A shard of some lines, text or Parquet by its name."""
    if path.suffix != ".parquet":
        return write_shard(path, b"\n".join(lines))
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": lines}), path)
    return str(path)


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_a_file_cut_while_it_is_read_gives_nothing_more(
    layout: Layout, tmp_path: Path, name: str
) -> None:
    text = b"".join(b"%d\n" % hash(float(i + 0.1)) for i in range(200_000))
    run = make_settings(block_size=1 << 18)
    path = write_shard(tmp_path / name, text)
    plan = plan_shard(layout, path, run)
    blocks = read_span(layout, Span(plan.shard, plan.content, plan.keys), run)
    kept = [next(blocks), next(blocks)]
    os.truncate(path, os.stat(path).st_size * 5 // 8)
    kept += list(blocks)
    assert len(kept) == 2 < len(plan.blocks)
    assert [raw.key for raw in kept] == plan.keys[: len(kept)]
    read = b"".join(line + b"\n" for block in kept for _, _, line in lines_of(block))
    assert read == text[: len(read)]
    marked = recorded_plan(layout, path)
    assert marked is not None
    assert marked.damaged is not None
    assert marked.blocks == []


def test_a_line_that_became_two_while_it_is_read_is_seen(layout: Layout, tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.txt", TEXT)
    plan = plan_shard(layout, path, RUN)
    times = os.stat(path)
    Path(path).write_bytes(TEXT.replace(b"line number 8\n", b"line\nnumber 8\n"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = [raw.key for raw in read_span(layout, next(spans_of(plan)), RUN)]
    assert found == []
    assert str(getattr(recorded_plan(layout, path), "damaged", "")) == CHANGED


def test_read_sentences_gives_each_block_its_accounts(layout: Layout, tmp_path: Path) -> None:
    run, bad = make_settings(block_size=10), {"invalid_utf8": 1}
    path = write_shard(tmp_path / "a.txt", b"one two.\n" + b"\n\xff\n" + b"a  b\n")
    spans = list(spans_of(plan_shard(layout, path, run)))
    with local_pipeline() as pipeline:
        blocks = pipeline | Create(spans) | ParDo(ReadSentences(layout, run))
        counts = blocks | "Counts" >> Map(
            lambda b: [(c.embedded, c.blank, c.rejected) for c in b.counts]
        )
        assert_that(counts, equal_to([[(1, 1, {})], [(1, 0, bad)]]))


@pytest.mark.parametrize("broken", [0, 1])
def test_a_block_that_cannot_be_written_fails_the_bundle(layout: Layout, broken: int) -> None:
    """Whether it is the last of its bundle, whose writing nothing else waits for, or not."""
    names = ["/in/0.txt", "/in/1.txt"]
    blocks = [embedded_block(normalized(raw_block([b"a"], shard=n), RUN), RUN) for n in names]
    Path(part_path(layout, RUN, blocks[broken].block.key.stem)).mkdir(parents=True)
    with pytest.raises(Exception, match="cannot write") as caught, local_pipeline() as pipeline:
        _ = pipeline | Create(blocks) | ParDo(WriteBlocks(layout, RUN))
    error = marked_user_error(str(caught.value))
    assert error is not None
    with refused("cannot write", part_path(layout, RUN, blocks[broken].block.key.stem)):
        raise error


@pytest.mark.parametrize("step", [PlanShards, ReadSentences])
def test_a_plan_that_cannot_be_written_fails_the_step(
    layout: Layout, tmp_path: Path, step: type[PlanShards | ReadSentences]
) -> None:
    path = write_shard(tmp_path / "a.txt", TEXT)
    elements: list[Any] = [path]
    if step is ReadSentences:  # which marks a plan as damaged if its file has changed
        elements = list(spans_of(make_plan(path, RUN)))
        write_plan(layout, make_plan(path, RUN))
        os.utime(path, (0, 0))
    temporary = Path(layout.root, ".tmp")
    temporary.parent.mkdir(exist_ok=True)
    if temporary.exists():
        temporary.rmdir()
    temporary.write_bytes(b"not a folder")
    with pytest.raises(Exception, match="cannot write") as caught, local_pipeline() as pipeline:
        _ = pipeline | Create(elements) | ParDo(step(layout, RUN))
    error = marked_user_error(str(caught.value))
    assert error is not None
    with refused("cannot write", layout.plan_of(path)):
        raise error


def test_write_blocks_gives_the_accounts_that_it_writes(layout: Layout) -> None:
    blocks = [
        embedded_block(normalized(raw_block(lines, shard=f"/in/{i}.txt"), RUN), RUN)
        for i, lines in enumerate([[b"one", b"\xff"], [b""], [b"a b", b"c"]])
    ]
    kept: list[Any] = []
    with local_pipeline() as pipeline:
        accounts = pipeline | Create(blocks) | ParDo(WriteBlocks(layout, RUN))
        _ = accounts | ParDo(Keep(kept))
        rows = accounts | Map(lambda a: [(c.shard, c.rows, c.blank, c.rejected) for c in a.pieces])
        expected: list[list[tuple[str, int, int, dict[str, int]]]] = [
            [("/in/0.txt", 1, 0, {"invalid_utf8": 1})],
            [("/in/1.txt", 0, 1, {})],
            [("/in/2.txt", 2, 0, {})],
        ]
        assert_that(rows, equal_to(expected))
    assert len(kept) == 3
    for found in kept:
        [key] = [
            b.block.key for b in blocks if b.block.key.pieces[0].shard == found.pieces[0].shard
        ]
        assert isinstance(key, BlockKey)
        assert read_accounts(layout, key.stem) == found
