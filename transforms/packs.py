"""Packs: small files that are planned, embedded and committed together, up to a block's size.

A part, its accounts and its plan cost some milliseconds and 7 KB each, which is more than the text
of a file of a kilobyte. Which files make a pack is decided once and recorded, before any of them is
read; a pack is never formed anew. So a file that changes costs its own pack, and files that are
added make other packs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from elmo_beam.transforms.accounts import BlockKey, Piece
from elmo_beam.transforms.files.layout import PACK_STEM, Layout, block_stem, pack_stem
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import join, list_names, of_each, read_bytes, write_bytes
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import Damaged, Shard, Unread, stat_shard
from elmo_beam.transforms.plan import Plan, renewed

MOST_FILES = 1000  # of a pack, however small they are


@dataclass(frozen=True)
class Pack:
    """The plans of the files of a pack, in order; a new pack's have neither content nor blocks.

    stem: what the names of everything written for the pack begin with. It stays when a file of
    which nothing is embedded leaves the pack.
    """

    stem: str
    plans: tuple[Plan, ...]

    @property
    def keys(self) -> list[BlockKey]:
        """Its blocks: one, unless files are larger than they were, or were compressed."""
        pieces = [piece for plan in self.plans for piece in plan.pieces]
        blocks = joined(pieces, self.plans[0].block_size)
        return [BlockKey(block_stem(self.stem, i), tuple(own)) for i, own in enumerate(blocks)]

    @property
    def known(self) -> bool:
        """Whether all files have been looked at."""
        return all(plan.known for plan in self.plans)

    def with_plan(self, plan: Plan) -> Pack:
        """The same with another plan of one file."""
        path = plan.shard.path
        plans = (plan if old.shard.path == path else old for old in self.plans)
        return replace(self, plans=tuple(plans))

    def to_json(self) -> str:
        """The pack as its file keeps it."""
        plans = [plan.to_document() for plan in self.plans]
        return json.dumps({"pack": self.stem, "plans": plans}) + "\n"


Planned = Plan | Pack


def joined(pieces: Sequence[Piece], size: int) -> list[list[Piece]]:
    """Pieces as blocks: each has as many as fit into `size` bytes, at least one."""
    blocks: list[list[Piece]] = []
    taken = 0
    for piece in pieces:
        taken += piece.block.length
        if not blocks or taken > size:
            blocks.append([])
            taken = piece.block.length
        blocks[-1].append(piece)
    return blocks


def parse_planned(text: bytes | None) -> Planned | None:
    """The plan or the pack that `to_json` wrote, None if the text is not one."""
    try:
        document = json.loads(text or b"")
        if "pack" in document:
            return Pack(document["pack"], tuple(map(Plan.from_document, document["plans"])))
        return Plan.from_document(document)
    except (ValueError, TypeError, KeyError):  # a file that lost its bytes in a power cut, say
        return None


def recorded_plans(layout: Layout) -> list[Planned]:
    """All plans and packs that the run has, in the order of their first files."""
    found = _recorded(layout, list_names(layout.plan))
    return sorted(found, key=lambda planned: planned.plans[0].shard.path)


def _recorded(layout: Layout, names: Sequence[str]) -> list[Planned]:
    texts = of_each(layout.root, lambda name: read_bytes(join(layout.plan, name)), names)
    return [planned for planned in map(parse_planned, texts) if planned]


def recorded_pack(layout: Layout, stem: str) -> Pack | None:
    """The pack on record, None if there is none that can be read."""
    found = parse_planned(read_bytes(layout.plan_at(stem)))
    return found if isinstance(found, Pack) else None


def write_pack(layout: Layout, pack: Pack) -> None:
    """Put a pack on record."""
    write_bytes(layout.root, layout.plan_at(pack.stem), pack.to_json().encode())


def new_packs(paths: Sequence[str], settings: Settings) -> list[Pack]:
    """The packs of files that are in none yet, by their sizes and in their order.

    Neighbours are joined while they are no larger than a block together. A large file, or one of a
    format whose files stay alone, ends a pack; so does one that cannot be seen.
    """
    packs: list[list[Shard]] = [[]]
    size = 0  # of the last pack's files
    root = next(filter(is_remote, paths), "")
    for shard in of_each(root, lambda path: _small_file(path, settings), paths):
        full = shard is None or size + shard.size > settings.block_size
        if full or len(packs[-1]) == MOST_FILES:
            packs.append([])
            size = 0
        if shard is not None:
            packs[-1].append(shard)
            size += shard.size
    return [
        new_pack(pack_stem([shard.path for shard in shards]), shards, settings)
        for shards in packs
        if len(shards) > 1
    ]


def is_pack(stem: str) -> bool:
    """Whether a plan of this stem is that of a pack."""
    return re.fullmatch(PACK_STEM, stem) is not None


def new_pack(stem: str, shards: Sequence[Shard], settings: Settings) -> Pack:
    """A pack of files that are not read yet."""
    return Pack(stem, tuple(Plan(shard, settings.block_size, "", []) for shard in shards))


def _small_file(path: str, settings: Settings) -> Shard | None:
    """The file as it is now, if it may join others."""
    if not input_format(path).packs:
        return None
    try:
        shard = stat_shard(path)
    except (Damaged, Unread):
        return None
    return shard if shard.size <= settings.block_size else None


@dataclass(frozen=True)
class PackSpan:
    """A pack, by its stem: what one reader takes at a time."""

    stem: str


def packs_by_file(layout: Layout) -> dict[str, Pack]:
    """The packs on record, by the path of each of their files."""
    # Not `recorded_plans`: every worker asks, and most files of a run may be planned alone.
    names = [name for name in list_names(layout.plan) if is_pack(name.removesuffix(".json"))]
    packs = (each for each in _recorded(layout, names) if isinstance(each, Pack))
    return {plan.shard.path: pack for pack in packs for plan in pack.plans}


def plan_pack(layout: Layout, stem: str, settings: Settings) -> Pack | None:
    """The pack on record, with each file's plan renewed and on record."""
    before = recorded_pack(layout, stem)
    if before is None:
        return None
    plans = (renewed(plan, plan.shard.path, settings) for plan in before.plans)
    pack = replace(before, plans=tuple(plans))
    if pack != before:
        write_pack(layout, pack)
    return pack


def without(plan: Plan, damaged: str | None = None, unread: str | None = None) -> Plan:
    """A plan of nothing of a file, and why."""
    return replace(plan, content="", blocks=[], damaged=damaged, unread=unread)
