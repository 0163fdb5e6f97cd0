"""The job as a transform in someone's own pipeline: paths in, accounts out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.accounts import Accounts, part_path, read_accounts
from elmo_beam.transforms.embed import embed_block
from elmo_beam.transforms.embed_shards import EmbedShards
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings, read_settings
from elmo_beam.transforms.files.storage import list_names, read_bytes
from elmo_beam.transforms.packs import recorded_plans
from elmo_beam.transforms.plan import make_plan, recorded_plan
from elmo_beam.transforms.settings_checks import resolved
from tests.helpers.blocks import (
    Keep,
    local_pipeline,
    normalized,
    read_shard,
    tiny_model,
    write_shard,
)
from tests.helpers.encoders import shared
from tests.helpers.refusal import refused

TEXT = b"".join(b"line number %d has a cat\n" % i for i in range(40)) + b"\n\xff\n"
JSON = b'{"text": "One. Two!"}\nnot JSON\n'


@pytest.fixture
def settings(model_folder: Path) -> Settings:
    """Settings of a user: nothing of the model but where it is."""
    tiny_model(model_folder)
    return Settings(model=str(model_folder), outputs=("default", "elmo"), block_size=300)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two shards with rejects, in several blocks, and one that is damaged."""
    damaged = tmp_path / "c.txt.gz"
    damaged.write_bytes(b"not gzip")
    text, lines = tmp_path / "a.txt.gz", tmp_path / "b.jsonl"
    return [write_shard(text, TEXT), write_shard(lines, JSON), str(damaged)]


def embed(layout: Layout, paths: list[str], settings: Settings | None) -> list[Accounts]:
    """The accounts that the transform gives in a pipeline of its own."""
    kept: list[Accounts] = []
    with local_pipeline() as pipeline:
        accounts = pipeline | beam.Create(paths) | EmbedShards(layout.root, settings)
        _ = accounts | beam.ParDo(Keep(kept))
    return kept


def test_paths_become_parts_and_their_accounts(
    layout: Layout, paths: list[str], settings: Settings, model_folder: Path
) -> None:
    found = {a.pieces[0].start: a for a in embed(layout, paths[:1], settings)}
    run = resolved(settings)
    assert read_settings(layout) == run
    plan, blocks = read_shard(paths[0], run)
    assert sorted(found) == [block.start for block in plan.blocks]
    assert len(found) > 3
    encoder = shared(tiny_model(model_folder))
    stems = []
    for raw in blocks:
        stem, accounts = raw.key.stem, found[raw.key.pieces[0].block.start]
        stems.append(stem)
        assert read_accounts(layout, stem) == accounts
        assert accounts.match(raw.key, run.fingerprint)
        want = embed_block(normalized(raw, run), encoder, run).part
        part = pq.read_table(part_path(layout, run, stem))
        assert part.schema == want.schema
        vectors = list(run.outputs)
        assert part.drop_columns(vectors).equals(want.drop_columns(vectors))
        for got, row in zip(part.to_pylist(), want.to_pylist(), strict=True):
            for name in vectors:
                np.testing.assert_allclose(np.array(got[name]), np.array(row[name]), atol=1e-5)
    assert list_names(layout.parts) == sorted(f"{stem}.parquet" for stem in stems)
    assert list_names(layout.blocks) == sorted(f"{stem}.json" for stem in stems)
    assert sum(accounts.total("embedded") for accounts in found.values()) == 40
    assert [len(list_names(layout.rejects)), recorded_plan(layout, paths[0])] == [1, plan]


def test_accounts_go_on_into_the_users_own_steps(
    layout: Layout, paths: list[str], settings: Settings
) -> None:
    def counts(accounts: Accounts) -> Iterator[tuple[str, tuple[int, int, int]]]:
        for piece in accounts.pieces:
            rejected = sum(piece.rejected.values())
            yield Path(piece.shard).name, (piece.embedded, piece.blank, rejected)

    with local_pipeline() as pipeline:
        shards = pipeline | beam.Create(paths) | EmbedShards(layout.root, settings)
        totals = (
            shards
            | beam.FlatMap(counts)
            | beam.CombinePerKey(beam.combiners.TupleCombineFn(*[sum] * 3))
        )
        assert_that(totals, equal_to([("a.txt.gz", (40, 1, 1)), ("b.jsonl", (1, 0, 1))]))
    assert [plan.shard.path for each in recorded_plans(layout) for plan in each.plans] == paths
    assert make_plan(paths[2], settings).damaged is not None
    assert recorded_plan(layout, paths[2]) == make_plan(paths[2], settings)


def test_a_second_pipeline_has_nothing_left_to_do(
    layout: Layout, paths: list[str], settings: Settings
) -> None:
    first = embed(layout, paths, settings)
    files = {name: read_bytes(f"{layout.parts}/{name}") for name in list_names(layout.parts)}
    assert len(first) == len(files) > 4
    assert embed(layout, paths, settings) == []
    assert {name: read_bytes(f"{layout.parts}/{name}") for name in files} == files
    Path(layout.parts, min(files)).unlink()
    assert len(embed(layout, paths, resolved(settings))) == 1
    assert read_bytes(f"{layout.parts}/{min(files)}") == files[min(files)]


def test_other_settings_for_the_same_folder_are_refused(
    layout: Layout, paths: list[str], settings: Settings
) -> None:
    embed(layout, paths[1:2], settings)
    names = list_names(layout.blocks)
    other = Settings(**{**vars(settings), "max_tokens": 7})
    with refused(layout.root, "`max_tokens` 5000 by default, now 7", "`overwrite`"):
        embed(layout, paths, other)
    assert list_names(layout.blocks) == names


@pytest.mark.parametrize("changes", [{"dtype": "float64"}, {"outputs": ("lstm_outputs9",)}])
def test_wrong_settings_are_refused_before_there_is_a_pipeline(
    layout: Layout, settings: Settings, changes: dict[str, Any]
) -> None:
    [name] = changes
    with pytest.raises(ArgumentError, match=f"`{name}`"):
        EmbedShards(layout.root, Settings(**{**vars(settings), **changes}))
    assert not Path(layout.root).exists()


def test_a_model_that_is_not_there_is_refused_too(layout: Layout, tmp_path: Path) -> None:
    with refused("no model", tmp_path / "none"):
        EmbedShards(layout.root, Settings(model=str(tmp_path / "none")))
