"""The names of a run's files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.storage import join

MAX_BASE = 180  # bytes of a shard's name in a part's: file systems allow 255 in all


@dataclass(frozen=True)
class Layout:
    """Paths below a run's output folder, absolute or a URL."""

    root: str

    @property
    def parts(self) -> str:
        """Folder of part files and nothing else."""
        return join(self.root, "parts")

    @property
    def rejects(self) -> str:
        """Folder of one JSON Lines file per block that has rejected lines."""
        return join(self.root, "rejects")

    @property
    def plan(self) -> str:
        """Folder of one JSON file per shard or pack of shards: its plan."""
        return join(self.root, "plan")

    @property
    def blocks(self) -> str:
        """Folder of one JSON file per finished block: its accounts."""
        return join(self.root, "blocks")

    @property
    def run(self) -> str:
        """The run's settings."""
        return join(self.root, "run.json")

    @property
    def manifest(self) -> str:
        """Accounts and figures of the whole run, written when it ends."""
        return join(self.root, "manifest.json")

    @property
    def success(self) -> str:
        """Exists once every line of every input is accounted for."""
        return join(self.root, "_SUCCESS")

    @property
    def words(self) -> str:
        """The mean and variance of each word's vectors, of a pooled run that is complete."""
        return join(self.root, "words.parquet")

    @property
    def top_words(self) -> str:
        """The most frequent tokens and their counts, if the run has counted them."""
        return join(self.root, "top_words.json")

    @property
    def report(self) -> str:
        """The run as a page of HTML."""
        return join(self.root, "report.html")

    @property
    def error_log(self) -> str:
        """The traceback of a failure that the command cannot explain in one line."""
        return join(self.root, "error.log")

    def plan_of(self, shard: str) -> str:
        """The plan of a shard's blocks."""
        return self.plan_at(shard_stem(shard))

    def plan_at(self, stem: str) -> str:
        """The plan of the blocks whose names begin with a stem."""
        return join(self.plan, f"{stem}.json")


def layout_of(output: str) -> Layout:
    """The layout below an output folder, absolute where local."""
    return Layout(output.rstrip("/") if is_remote(output) else os.path.abspath(output))


# What the names begin with of everything written for one plan: that of a pack, or of a shard.
PACK_STEM = r"pack-[0-9a-f]{16}"
PLAN_STEM = rf"(?P<plan>{PACK_STEM}|.+-[0-9a-f]{{8}})"
PLAN_NAME = re.compile(rf"{PLAN_STEM}\.json")
# The suffix is a format's.
BLOCK_NAME = re.compile(rf"(?P<stem>{PLAN_STEM}-\d{{15}})\.[a-z0-9]+")


def block_stem(plan: str, number: int) -> str:
    """The name, without its suffix, of everything written for one block.

    plan: the stem of its plan; number: where it starts in its shard, or which one of its pack.
    """
    return f"{plan}-{number:015d}"


def pack_stem(shards: Sequence[str]) -> str:
    """What the names of everything written for a pack of shards begin with."""
    return f"pack-{hashlib.sha256(json.dumps(list(shards)).encode()).hexdigest()[:16]}"


def shard_stem(shard: str) -> str:
    """What the names of everything written for one shard begin with."""
    # Readers of folders skip names that begin with a dot or an underscore.
    base = shard.rsplit("/", 1)[1].lstrip("._") or "shard"
    # They also give some characters a meaning, as in globs and chained URLs.
    base = "".join(c if c.isalnum() or c in "._-+=" else "-" for c in base)
    base = base.encode()[:MAX_BASE].decode("utf-8", "ignore")
    return f"{base}-{hashlib.sha256(shard.encode()).hexdigest()[:8]}"
