"""What a job's inputs mean beside the plans that a run has: what is new, packed, or missing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.wording import listed
from elmo_beam.transforms.accounts import read_accounts
from elmo_beam.transforms.files.layout import BLOCK_NAME, Layout, shard_stem
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import delete, list_names
from elmo_beam.transforms.inputs.shards import Shard
from elmo_beam.transforms.packs import Pack, Planned, is_pack, new_pack, new_packs, write_pack


def arranged(
    layout: Layout, paths: Sequence[str], recorded: Sequence[Planned], settings: Settings
) -> list[Planned]:
    """The plans on record of these shards; small new files are packed, and their packs recorded.

    Raises UserError if there are parts of files that are gone, or that `paths` leaves out.
    """
    matches = (BLOCK_NAME.fullmatch(name) for name in list_names(layout.parts))
    parts = {match["plan"]: match["stem"] for match in matches if match}
    found = [*recorded, *_lost_packs(layout, recorded, parts, settings)]
    _refuse_missing(layout, paths, found, parts)
    named, left = set(paths), set(paths)
    planned: list[Planned] = []
    for each in sorted(found, key=lambda each: not isinstance(each, Pack)):
        plans = tuple(plan for plan in each.plans if plan.shard.path in left)
        if not plans:
            if each.plans[0].shard.path in named:  # it is in a pack
                delete(layout.plan_at(each.stem))
            continue
        if isinstance(each, Pack) and each.plans != plans:  # nothing of the others is embedded
            each = replace(each, plans=plans)
            write_pack(layout, each)
        left.difference_update(plan.shard.path for plan in plans)
        planned.append(each)
    for pack in new_packs(sorted(left), settings):
        write_pack(layout, pack)
        planned.append(pack)
    return planned


def first_files(paths: Sequence[str], planned: Sequence[Planned]) -> dict[str, str]:
    """By the stem of each plan that there is or will be, the path of its first file."""
    packs = [each for each in planned if isinstance(each, Pack)]
    packed = {plan.shard.path for pack in packs for plan in pack.plans}
    firsts = {shard_stem(path): path for path in paths if path not in packed}
    return firsts | {pack.stem: pack.plans[0].shard.path for pack in packs}


def _lost_packs(
    layout: Layout, recorded: Sequence[Planned], parts: Mapping[str, str], settings: Settings
) -> list[Pack]:
    """Packs that have parts but no plan: their accounts name the files."""
    lost = parts.keys() - {each.stem for each in recorded}
    packs = []
    for stem in filter(is_pack, sorted(lost)):
        accounts = read_accounts(layout, parts[stem])
        if accounts is not None:
            shards = dict.fromkeys(counts.shard for counts in accounts.pieces)
            packs.append(new_pack(stem, [Shard(path, 0, 0.0) for path in shards], settings))
            write_pack(layout, packs[-1])
    return packs


def _refuse_missing(
    layout: Layout, paths: Sequence[str], found: Sequence[Planned], parts: Mapping[str, str]
) -> None:
    """UserError if there are parts of files that are gone, or that `paths` leaves out.

    parts: the name of one, by the stem of its plan.
    """
    lost = dict(parts)
    embedded = []
    for each in found:
        if lost.pop(each.stem, None):
            plans = each.plans
            if isinstance(each, Pack):
                plans = tuple(plan for plan in plans if plan.good or not plan.known)
            embedded += [plan.shard.path for plan in plans]
    embedded += [path for path in paths if lost.pop(shard_stem(path), None)]
    for stem in lost.values():  # of files whose plan is lost: their accounts name them
        accounts = read_accounts(layout, stem)
        if accounts is not None:
            embedded += [counts.shard for counts in accounts.pieces]
    unnamed = sorted(set(embedded) - set(paths))
    if unnamed:
        raise UserError(
            f"{layout.root} has parts of files that `inputs` no longer names ({listed(unnamed)}): "
            "name them too, or give another `output`"
        )
    for path in embedded:
        if not is_remote(path) and not os.path.lexists(path):
            raise UserError(
                f"{layout.root} has parts of {path}, which is gone: bring the file back, or give "
                "another `output`"
            )
