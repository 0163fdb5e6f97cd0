"""Small input files whose content is known."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

REJECTED = None
BLOCK_SIZE = 250


@dataclass(frozen=True)
class Shard:
    """A file by its name, whose suffix says what it is, and its lines: text, "", or REJECTED."""

    name: str
    lines: tuple[str | None, ...]

    def write(self, folder: Path) -> None:
        """Put the file into a folder."""
        path = folder / self.name
        path.parent.mkdir(exist_ok=True)
        if self.name.endswith(".parquet"):
            pq.write_table(pa.table({"text": pa.array(self.lines, pa.string())}), path)
            return
        data = b"".join(self._raw(line) for line in self.lines)
        path.write_bytes(gzip.compress(data) if self.name.endswith(".gz") else data)

    def _raw(self, line: str | None) -> bytes:
        if ".jsonl" in self.name:
            return b"{\n" if line is REJECTED else json.dumps({"text": line}).encode() + b"\n"
        return b"\xff\n" if line is REJECTED else line.encode() + b"\n"

    @property
    def offsets(self) -> dict[int, str | None]:
        """The lines by their offset: in the decompressed text, or in Parquet's rows."""
        if self.name.endswith(".parquet"):
            return dict(enumerate(self.lines))
        sizes = np.array([len(self._raw(line)) for line in self.lines], np.int64)
        return dict(zip((np.cumsum(sizes) - sizes).tolist(), self.lines, strict=True))


def shard(name: str, lines: int, word: str = "word") -> Shard:
    """A shard of so many lines, among which some are blank and some to be rejected."""
    text = [f"{name} line {i} has the {word} {'again ' * (i % 4)}" for i in range(lines)]
    odd = {5: "", 7: REJECTED}
    return Shard(name, tuple(odd.get(i % 8, line.strip()) for i, line in enumerate(text)))


A, B, C = shard("a.txt", 16), shard("b.jsonl.gz", 8), shard("c.parquet", 8)
SHARDS = (A, B, C)
