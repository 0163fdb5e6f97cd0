"""What became of each line of a block. Accounts are written last: where they exist, it is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields

from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import exists, join, read_bytes, write_bytes
from elmo_beam.transforms.inputs.blocks import Block


@dataclass(frozen=True)
class Piece:
    """A run of whole lines of a shard whose content was as planned."""

    shard: str
    content: str
    block: Block


@dataclass(frozen=True)
class BlockKey:
    """A block: one piece of a large file, or all that a pack's small files have.

    stem: the name of everything written for it, without its suffix.
    """

    stem: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Counts:
    """A piece's accounts: lines = embedded + blank + passed_over + the sum of rejected.

    rows: of the part, or the occurrences that are pooled in it; tokens: of the sentences embedded.
    passed_over: lines that have none of a run's words, passed_sentences: such sentences.
    """

    shard: str
    content: str
    start: int
    length: int
    lines: int
    embedded: int = 0
    blank: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    tokens: int = 0
    passed_over: int = 0
    passed_sentences: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every line is accounted for."""
        rejected = sum(self.rejected.values())
        return self.lines == self.embedded + self.blank + self.passed_over + rejected

    def match(self, piece: Piece) -> bool:
        """Whether these are the full accounts of this piece."""
        mine = (self.shard, self.content, self.start, self.length, self.lines)
        block = piece.block
        theirs = (piece.shard, piece.content, block.start, block.length, block.lines)
        return mine == theirs and self.balanced


@dataclass(frozen=True)
class Accounts:
    """One block's accounts, and what it took.

    run: the settings' fingerprint. pieces: what became of the lines of each. steps, nodes, lookups,
    misses: as in `Encoded`. bytes, sha256: the part file's; rejects_sha256: that of the rejects
    file, empty if there is none.
    """

    run: str
    pieces: tuple[Counts, ...]
    steps: int = 0
    nodes: int = 0
    lookups: int = 0
    misses: int = 0
    bytes: int = 0
    sha256: str = ""
    rejects_sha256: str = ""

    def total(self, name: str) -> int:
        """The sum of one count over the pieces."""
        return sum(getattr(piece, name) for piece in self.pieces)

    def match(self, key: BlockKey, run: str) -> bool:
        """Whether these are the full accounts of this block in a run with these settings."""
        if self.run != run or len(self.pieces) != len(key.pieces):
            return False
        return all(map(Counts.match, self.pieces, key.pieces))

    def to_json(self) -> str:
        """The accounts as their file keeps them; those of a single piece without a list."""
        document = asdict(self)
        pieces = document.pop("pieces")
        own = pieces[0] if len(pieces) == 1 else {"pieces": pieces}
        return json.dumps({**own, **document}) + "\n"


def parse_accounts(text: bytes) -> Accounts:
    """The accounts that `to_json` gave."""
    document = json.loads(text)
    pieces = document.pop("pieces", None)
    if pieces is None:
        names = [f.name for f in fields(Counts) if f.name in document]
        pieces = [{name: document.pop(name) for name in names}]
    return Accounts(pieces=tuple(Counts(**piece) for piece in pieces), **document)


def accounts_path(layout: Layout, stem: str) -> str:
    """Where a block's accounts are."""
    return join(layout.blocks, f"{stem}.json")


def read_accounts(layout: Layout, stem: str) -> Accounts | None:
    """A block's accounts, None if there are none that can be read."""
    text = read_bytes(accounts_path(layout, stem))
    try:
        return None if text is None else parse_accounts(text)
    except (ValueError, TypeError, AttributeError):  # it lost its bytes in a power cut, say
        return None


def write_accounts(layout: Layout, stem: str, accounts: Accounts) -> None:
    """Write a block's accounts, which commits it."""
    write_bytes(layout.root, accounts_path(layout, stem), accounts.to_json().encode())


def rejects_path(layout: Layout, stem: str) -> str:
    """Where a block's rejects are, if it has any."""
    return join(layout.rejects, f"{stem}.jsonl")


def part_path(layout: Layout, settings: Settings, stem: str) -> str:
    """Where a block's part is."""
    return join(layout.parts, f"{stem}.{settings.format}")


def is_done(layout: Layout, settings: Settings, key: BlockKey) -> bool:
    """Whether a block is committed already."""
    accounts = read_accounts(layout, key.stem)
    if accounts is None or not accounts.match(key, settings.fingerprint):
        return False
    if accounts.rejects_sha256 and not exists(rejects_path(layout, key.stem)):
        return False
    return exists(part_path(layout, settings, key.stem))


def left_to_do(layout: Layout, settings: Settings, keys: Sequence[BlockKey]) -> list[BlockKey]:
    """The blocks that are not committed yet."""
    return [key for key in keys if not is_done(layout, settings, key)]
