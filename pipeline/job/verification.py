"""Everything that a run wrote, re-read and checked against its accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from elmo_beam.elmo.errors import cause_of
from elmo_beam.elmo.wording import amount, counted
from elmo_beam.pipeline.job.manifest import (
    accounts_in,
    manifest_of,
    problems,
    recorded_accounts,
)
from elmo_beam.pipeline.job.pooled_checks import pooled_complaints, word_complaints
from elmo_beam.pipeline.job.session import Session
from elmo_beam.pipeline.job.state import RunState, read_state
from elmo_beam.transforms.accounts import Accounts, Counts, accounts_path, part_path, rejects_path
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout, layout_of
from elmo_beam.transforms.files.lock import refuse_held
from elmo_beam.transforms.files.settings import Settings, read_settings
from elmo_beam.transforms.files.storage import exists, join, list_names, local_copy, read_bytes
from elmo_beam.transforms.outputs.formats import output_format
from elmo_beam.transforms.outputs.schema import has_one_vector, part_schema
from elmo_beam.transforms.packs import recorded_plans
from elmo_beam.transforms.write import file_digest

REDO = "remove it and run the command again"


def verify(output: str) -> tuple[str, list[str]]:
    """What was checked, in one line, and one line for each thing that is wrong."""
    layout = layout_of(output)
    settings = read_settings(layout)
    refuse_held(layout.root)
    state = read_state(layout, settings, recorded_plans(layout))
    wrong = list(_check(layout, settings, state))
    checked = f"{counted(len(state.done), 'block')}, {counted(state.total('rows'), 'row')}"
    verdict = f"{counted(len(wrong), 'thing')} wrong" if wrong else "all as accounted"
    return f"{checked}, {amount(state.work('bytes'))}: {verdict}", wrong


def _check(layout: Layout, settings: Settings, state: RunState) -> Iterator[str]:
    yield from problems(state)
    if state.complete != exists(layout.success):
        yield (
            "_SUCCESS is there, but the run is not complete"
            if not state.complete
            else ("_SUCCESS is missing: run the command again")
        )
    yield from _check_manifest(layout, settings, state)
    yield from _check_strays(layout, settings, state)
    whole = state.complete
    for stem, accounts in state.done.items():
        for complaint in _check_part(layout, settings, stem, accounts):
            whole = False
            yield complaint
        yield from _check_rejects(layout, stem, accounts)
    if settings.pool and whole:
        yield from word_complaints(layout, state)


def _check_manifest(layout: Layout, settings: Settings, state: RunState) -> Iterator[str]:
    if not exists(layout.manifest):
        yield "manifest.json is missing: run the command again"
    elif recorded_accounts(layout) != accounts_in(manifest_of(state, settings, Session())):
        yield "manifest.json is not what the accounts add up to: run the command again"


def _check_strays(layout: Layout, settings: Settings, state: RunState) -> Iterator[str]:
    """Files of a complete run that belong to none of its shards or blocks.

    One with a name of ours may belong to a shard whose plan was lost; the command handles that.
    """
    if not state.complete:
        return
    expected = {layout.plan_at(planned.stem) for planned in state.plans}
    expected |= {part_path(layout, settings, stem) for stem in state.done}
    expected |= {accounts_path(layout, stem) for stem in state.done}
    expected |= {rejects_path(layout, stem) for stem in state.done}
    for folder in (layout.plan, layout.parts, layout.rejects, layout.blocks):
        for name in list_names(folder):
            if join(folder, name) not in expected:
                ours = BLOCK_NAME.fullmatch(name) or PLAN_NAME.fullmatch(name)
                remedy = "run the command again" if ours else "remove it"
                yield f"{join(folder, name)} belongs to nothing in the run: {remedy}"


def _check_part(layout: Layout, settings: Settings, stem: str, accounts: Accounts) -> Iterator[str]:
    path = part_path(layout, settings, stem)
    try:
        with local_copy(path) as local:
            if file_digest(local) != (accounts.bytes, accounts.sha256):
                yield f"{path} is not as it was written: {REDO}"
                return
            table = output_format(settings.format).read(local, settings, None)
    except Exception as error:  # each reader raises its own
        yield f"{path} cannot be read ({cause_of(error)}): {REDO}"
        return
    for complaint in _complaints(table, settings, accounts):
        yield f"{path} {complaint}: {REDO}"


def _complaints(table: pa.Table, settings: Settings, accounts: Accounts) -> Iterator[str]:
    """What is wrong with a part's rows."""
    full, rows = part_schema(settings), accounts.total("rows")
    kept = pa.schema([full.field(n) for n in output_format(settings.format).columns(settings)])
    if not settings.pool and table.num_rows != rows:
        yield f"has {counted(table.num_rows, 'row')}, its accounts {rows:,}"
        return
    if not rows and not table.num_rows:
        return
    if table.schema.remove_metadata() != kept:
        yield "has other columns than its run"
        return
    if settings.pool:
        yield from pooled_complaints(table, settings, rows)
        return
    row = 0
    for counts in accounts.pieces:
        own = table.slice(row, counts.rows)
        row += counts.rows
        of_shard = f" (rows of {counts.shard})" if len(accounts.pieces) > 1 else ""
        if own.num_rows:
            yield from (f"{wrong}{of_shard}" for wrong in _of_piece(own, settings, counts))


def _of_piece(table: pa.Table, settings: Settings, accounts: Counts) -> Iterator[str]:
    """What is wrong with the rows of one shard."""
    if len(pc.unique(table["offset"])) != accounts.embedded:
        yield f"has other lines than the {accounts.embedded} embedded"
    if pc.unique(table["shard"]).to_pylist() != [accounts.shard]:
        yield "has rows of another shard"
    order = np.asarray(table["offset"]) * (1 << 20) + np.asarray(table["sentence"])
    steps = np.diff(order)
    first = np.concatenate([[True], steps > 0])  # a sentence's first row
    if settings.words:
        yield from _word_complaints(table, settings, steps)
    elif not first.all():
        yield "has rows out of order, or twice"
    counts = np.asarray(table["num_tokens"])[first]
    if int(counts.sum()) != accounts.tokens:
        yield f"has {counted(int(counts.sum()), 'token')}, its accounts {accounts.tokens:,}"
    for name in settings.outputs:
        column = table[name]
        one = has_one_vector(settings, name)
        if not one and not np.array_equal(pc.list_value_length(column), counts):
            yield f"has another number of {name} vectors than tokens in a row"
        flat = column.combine_chunks()
        while not pa.types.is_floating(flat.type):
            flat = flat.flatten()
        if not np.isfinite(np.asarray(flat)).all():
            yield f"has {name} values that are not finite"


def _word_complaints(table: pa.Table, settings: Settings, steps: np.ndarray) -> Iterator[str]:
    """What is wrong with rows that are occurrences of words. steps: from sentence to sentence."""
    words = pc.index_in(table["word"], pa.array(settings.words))
    if words.null_count:
        yield "has words that its run does not look for"
        return
    places = np.asarray(table["position"]).astype(np.int64) * (1 << 31) + np.asarray(words)
    if (steps < 0).any() or (np.diff(places)[steps == 0] <= 0).any():
        yield "has rows out of order, or twice"


def _check_rejects(layout: Layout, stem: str, accounts: Accounts) -> Iterator[str]:
    path = rejects_path(layout, stem)
    data = read_bytes(path)
    sha256 = "" if data is None else hashlib.sha256(data).hexdigest()
    if sha256 != accounts.rejects_sha256:
        again = f"remove {accounts_path(layout, stem)} and run the command again"
        yield f"{path} is not as it was written: {again}"
