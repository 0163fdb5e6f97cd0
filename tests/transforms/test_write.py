"""The commit of a block: its rejects, its part, then its accounts, each whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elmo_beam.transforms.accounts import is_done, read_accounts
from elmo_beam.transforms.embed import EmbeddedBlock
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.outputs import parquet
from elmo_beam.transforms.outputs.formats import OUTPUT_FORMATS, output_format
from elmo_beam.transforms.write import file_digest, write_block
from tests.helpers.blocks import (
    embedded_block,
    make_settings,
    normalized,
    raw_block,
)
from tests.helpers.refusal import refused

RUN = make_settings(outputs=("elmo", "default"))
LINES = [b"one two", b"", b"\xff", b"three", b"\xfe\xff"]


def block_of(lines: list[bytes], seed: int = 0, run: Settings = RUN) -> EmbeddedBlock:
    raw = raw_block([*lines], shard="/in/a.txt")
    return embedded_block(normalized(raw, run), run, seed)


def files_in(root: str) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file())


def test_a_block_is_written_as_rejects_part_and_accounts(layout: Layout) -> None:
    embedded = block_of(LINES)
    accounts = write_block(layout, RUN, embedded)
    stem = embedded.block.key.stem
    assert files_in(layout.root) == [
        f"blocks/{stem}.json",
        f"parts/{stem}.parquet",
        f"rejects/{stem}.jsonl",
    ]
    assert pq.read_table(f"{layout.parts}/{stem}.parquet").equals(embedded.part)
    rejects = Path(f"{layout.rejects}/{stem}.jsonl").read_bytes()
    kept = [json.loads(line) for line in rejects.splitlines()]
    assert kept == embedded.block.rejects
    assert [reject["line"] for reject in kept] == [2, 4]

    part = Path(f"{layout.parts}/{stem}.parquet").read_bytes()
    assert (accounts.bytes, accounts.sha256) == (len(part), hashlib.sha256(part).hexdigest())
    assert accounts.rejects_sha256 == hashlib.sha256(rejects).hexdigest()
    [counts] = accounts.pieces
    of_lines = (counts.lines, counts.embedded, counts.blank, counts.rejected)
    assert of_lines == (5, 2, 1, {"invalid_utf8": 2})
    assert counts.balanced
    assert (counts.rows, counts.tokens) == (2, 3)
    work = (accounts.steps, accounts.nodes, accounts.lookups, accounts.misses)
    assert work == (14, 12, 7, 3)
    assert accounts.run == RUN.fingerprint
    block = embedded.block.key.pieces[0].block
    where = (counts.shard, counts.content, counts.start, counts.length)
    assert where == ("/in/a.txt", "content", block.start, block.length)
    assert read_accounts(layout, stem) == accounts
    assert is_done(layout, RUN, embedded.block.key)


@pytest.mark.parametrize("name", OUTPUT_FORMATS)
def test_a_block_without_rows_or_rejects_still_has_a_part(layout: Layout, name: str) -> None:
    run = make_settings(outputs=("elmo", "default"), format=name)
    embedded = block_of([b"", b" "], run=run)
    accounts = write_block(layout, run, embedded)
    stem = embedded.block.key.stem
    assert files_in(layout.root) == [f"blocks/{stem}.json", f"parts/{stem}.{name}"]
    assert (accounts.total("rows"), accounts.total("blank")) == (0, 2)
    assert accounts.rejects_sha256 == ""
    part = f"{layout.parts}/{stem}.{name}"
    assert output_format(name).read(part, run, None).num_rows == 0


def failing(table: pa.Table, settings: Settings, path: str) -> None:
    """A disk that fills up in the middle of a part."""
    Path(path).write_bytes(b"PAR1 and not much more")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_where_the_part_cannot_be_written_nothing_of_it_and_no_accounts_are_there(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = block_of(LINES)
    stem = embedded.block.key.stem
    whole = parquet.FORMAT
    monkeypatch.setattr(parquet, "FORMAT", replace(whole, write=failing))
    with refused(f"{layout.parts}/{stem}.parquet", "No space left on device"):
        write_block(layout, RUN, embedded)
    assert files_in(layout.root) == [f"rejects/{stem}.jsonl"]
    assert not is_done(layout, RUN, embedded.block.key)

    monkeypatch.setattr(parquet, "FORMAT", whole)
    write_block(layout, RUN, embedded)
    assert is_done(layout, RUN, embedded.block.key)


def test_a_failure_leaves_the_part_of_before_as_it_was(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = block_of(LINES)
    stem = embedded.block.key.stem
    write_block(layout, RUN, embedded)
    before = file_digest(f"{layout.parts}/{stem}.parquet")
    monkeypatch.setattr(parquet, "FORMAT", replace(parquet.FORMAT, write=failing))
    with refused("No space left"):
        write_block(layout, RUN, block_of([b"other text"]))
    assert file_digest(f"{layout.parts}/{stem}.parquet") == before


@pytest.mark.parametrize("stop", ["rejects", "parts", "blocks"])
def test_the_order_is_rejects_part_accounts_and_each_appears_complete(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    embedded = block_of(LINES)
    stem = embedded.block.key.stem
    move = os.replace
    order: list[str] = []

    def watched(source: str, target: str) -> None:
        folder = Path(target).parent.name
        if folder == stop:
            raise OSError(errno.EIO, "pulled out")
        assert not os.path.exists(target)
        assert Path(source).parent == Path(layout.root, ".tmp")
        assert Path(source).name.startswith(".")
        move(source, target)
        order.append(folder)

    monkeypatch.setattr(os, "replace", watched)
    with refused(f"cannot write {layout.root}/{stop}/{stem}", "pulled out"):
        write_block(layout, RUN, embedded)
    expected = {"rejects": [], "parts": ["rejects"], "blocks": ["rejects", "parts"]}[stop]
    assert order == expected
    assert {Path(name).parent.name for name in files_in(layout.root)} == set(expected)
    assert not is_done(layout, RUN, embedded.block.key)


def test_a_commit_over_another_replaces_it_and_its_stale_rejects(layout: Layout) -> None:
    first = block_of(LINES, seed=1)
    write_block(layout, RUN, first)
    second = block_of([b"one two", b"", b"more words", b"three", b"fo"], seed=2)
    assert second.block.key.stem == first.block.key.stem
    write_block(layout, RUN, second)
    stem = second.block.key.stem
    assert files_in(layout.root) == [f"blocks/{stem}.json", f"parts/{stem}.parquet"]
    assert pq.read_table(f"{layout.parts}/{stem}.parquet").equals(second.part)
    accounts = read_accounts(layout, stem)
    assert accounts is not None
    assert [(counts.rows, counts.rejected) for counts in accounts.pieces] == [(4, {})]
    assert accounts.rejects_sha256 == ""


@pytest.mark.parametrize("stop", ["rejects", "parts", "blocks"])
def test_accounts_of_an_earlier_content_never_vouch_for_a_later_one(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    earlier = block_of(LINES)
    write_block(layout, RUN, earlier)
    changed = block_of([*LINES[:-1], b"\xfe"], seed=1)
    [piece] = changed.block.key.pieces
    key = replace(changed.block.key, pieces=(replace(piece, content="another"),))
    changed = replace(changed, block=replace(changed.block, key=key))
    move = os.replace

    def stopping(source: str, target: str) -> None:
        if Path(target).parent.name == stop:
            raise OSError(errno.EIO, "pulled out")
        move(source, target)

    monkeypatch.setattr(os, "replace", stopping)
    with refused("pulled out"):
        write_block(layout, RUN, changed)
    assert not is_done(layout, RUN, earlier.block.key)  # the file may be changed back


def test_the_same_block_written_twice_gives_the_same_bytes(layout: Layout) -> None:
    assert write_block(layout, RUN, block_of(LINES)) == write_block(layout, RUN, block_of(LINES))


def test_a_digest_is_that_of_the_whole_file(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert file_digest(str(tmp_path / "a")) == (len(data), hashlib.sha256(data).hexdigest())
    (tmp_path / "a").write_bytes(b"")
    assert file_digest(str(tmp_path / "a")) == (0, hashlib.sha256(b"").hexdigest())
