"""What became of each line of a block. Accounts are written last: where they exist, it is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from elmo_beam.transforms.files.layout import Layout, block_stem
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import exists, join, read_bytes, write_bytes
from elmo_beam.transforms.inputs.blocks import Block


@dataclass(frozen=True)
class BlockKey:
    """A block of a shard whose content was as planned."""

    shard: str
    content: str
    block: Block

    @property
    def stem(self) -> str:
        """The name of everything written for the block, without its suffix."""
        return block_stem(self.shard, self.block.start)


@dataclass(frozen=True)
class Accounts:
    """One block's accounts: lines = embedded + blank + passed_over + the sum of rejected.

    run: the settings' fingerprint. rows: of the part; tokens: of the sentences embedded.
    passed_over: lines that have none of a run's words, passed_sentences: such sentences. steps,
    nodes, lookups, misses: as in `Encoded`. bytes, sha256: the part file's; rejects_sha256: that of
    the rejects file, empty if there is none.
    """

    shard: str
    content: str
    start: int
    length: int
    lines: int
    run: str
    embedded: int
    blank: int
    rejected: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    tokens: int = 0
    steps: int = 0
    nodes: int = 0
    lookups: int = 0
    misses: int = 0
    bytes: int = 0
    sha256: str = ""
    rejects_sha256: str = ""
    passed_over: int = 0
    passed_sentences: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every line is accounted for."""
        rejected = sum(self.rejected.values())
        return self.lines == self.embedded + self.blank + self.passed_over + rejected

    def match(self, key: BlockKey, run: str) -> bool:
        """Whether these are the full accounts of this block in a run with these settings."""
        mine = (self.shard, self.content, self.start, self.length, self.lines, self.run)
        block = key.block
        theirs = (key.shard, key.content, block.start, block.length, block.lines, run)
        return mine == theirs and self.balanced


def accounts_path(layout: Layout, stem: str) -> str:
    """Where a block's accounts are."""
    return join(layout.blocks, f"{stem}.json")


def read_accounts(layout: Layout, stem: str) -> Accounts | None:
    """A block's accounts, None if there are none that can be read."""
    text = read_bytes(accounts_path(layout, stem))
    try:
        return None if text is None else Accounts(**json.loads(text))
    except (ValueError, TypeError):  # a file that lost its bytes in a power cut, say
        return None


def write_accounts(layout: Layout, stem: str, accounts: Accounts) -> None:
    """Write a block's accounts, which commits it."""
    text = json.dumps(asdict(accounts)) + "\n"
    write_bytes(layout.root, accounts_path(layout, stem), text.encode())


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
