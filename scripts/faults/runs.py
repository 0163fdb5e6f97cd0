"""A run's folder, checked against its input without the program's own code."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from faults.shards import REJECTED, Shard

FOLDERS = {"plan": ".json", "blocks": ".json", "parts": "", "rejects": ".jsonl"}
FILES = {"run.json", "manifest.json", "_SUCCESS", ".lock"}
LOG = "error.log"  # of the last command that failed so; it may stay
Vectors = Callable[[Sequence[str], str, int], np.ndarray]
Row = tuple[str, int, list[str], dict[str, np.ndarray]]  # shard, offset, tokens, vectors


@dataclass(frozen=True)
class RunCheck:
    """What a run's folder may hold.

    versions: by the path of each input, what it held before the command, if that was something
    else, and last what it holds now. vectors: those of a sentence's tokens, by output and width.
    foreign: files in the folder that are not the run's.
    """

    out: Path
    versions: dict[str, list[Shard]]
    vectors: Vectors
    foreign: tuple[str, ...] = ()

    def wrong(self, complete: bool) -> Iterator[str]:
        """What must never be; complete: or may not be once the command has returned 0."""
        whole = [file for file in self._files() if not file.startswith(".tmp/")]
        damage = list(self._half_written(whole))
        yield from damage
        if damage:
            return
        if complete:
            yield from (f"left behind: {file}" for file in set(self._files()) - set(whole))
        covered: dict[str, set[int]] = {path: set() for path in self.versions}
        for file in whole:
            if file.startswith("blocks/"):
                accounts = json.loads((self.out / file).read_text())
                yield from self._wrong_block(Path(file).stem, accounts)
                for piece in pieces_of(accounts):
                    begin, end = piece["start"], piece["start"] + piece["length"]
                    for shard in self.versions[piece["shard"]]:
                        covered[piece["shard"]] |= {o for o in shard.offsets if begin <= o < end}
        missing = [
            path
            for path, versions in self.versions.items()
            if not any(v.offsets.keys() <= covered[path] for v in versions[-1 if complete else 0 :])
        ]
        if missing and "_SUCCESS" in whole:
            yield f"_SUCCESS, but lines of {missing} have no accounts"
        if complete:
            yield from self._incomplete(whole)

    def _files(self) -> list[str]:
        paths = (path for path in self.out.rglob("*") if path.is_file())
        names = sorted(str(path.relative_to(self.out)) for path in paths)
        return [name for name in names if name not in self.foreign]

    def _half_written(self, files: list[str]) -> Iterator[str]:
        for file in files:
            try:
                if file.startswith("parts/"):
                    rows_of(self.out / file)
                elif file.endswith((".json", ".jsonl")):
                    text = (self.out / file).read_text()
                    for document in text.splitlines() if file.endswith("l") else [text]:
                        json.loads(document)
            except Exception as error:  # each reader raises its own
                yield f"half written: {file} ({error})"

    def _wrong_block(self, stem: str, accounts: dict[str, Any]) -> Iterator[str]:
        """What is wrong with a block that has accounts: they say that it is done."""
        parts = list((self.out / "parts").glob(f"{stem}.*"))
        if len(parts) != 1:
            yield f"accounts of {stem}, but {len(parts)} parts"
            return
        if hashlib.sha256(parts[0].read_bytes()).hexdigest() != accounts["sha256"]:
            yield f"accounts of {stem}, but another part"
        rejects = self.out / "rejects" / f"{stem}.jsonl"
        lines = rejects.read_text().splitlines() if rejects.exists() else []
        rejects_of = [(reject["shard"], reject["offset"]) for reject in map(json.loads, lines)]
        rows = rows_of(parts[0])
        at = 0
        for piece in pieces_of(accounts):
            own, at = rows[at : at + piece["rows"]], at + piece["rows"]
            rejected = [offset for shard, offset in rejects_of if shard == piece["shard"]]
            if not self._fits(piece, own, rejected):
                yield f"{stem} has other rows, rejects or accounts than its text gives"
        if at != len(rows):
            yield f"{stem} has other rows than its accounts"
        for _, offset, tokens, vectors in rows:
            for name, found in vectors.items():
                right = self.vectors(tokens, name, found.shape[1])
                if found.shape != right.shape or np.abs(found - right).max() > 1e-5:
                    yield f"{stem} has wrong vectors {name} at {offset}"

    def _fits(self, piece: dict[str, Any], rows: list[Row], rejected: list[int]) -> bool:
        """Whether a piece has what a version of its file gives."""
        begin, end = piece["start"], piece["start"] + piece["length"]
        for version in self.versions[piece["shard"]]:
            here = {o: line for o, line in version.offsets.items() if begin <= o < end}
            embedded = {o: line for o, line in here.items() if line}
            if (
                rejected == [o for o, line in here.items() if line is REJECTED]
                and [row[:3] for row in rows]
                == [(piece["shard"], o, line.split()) for o, line in embedded.items()]
                and piece["lines"] == len(here)
                and piece["embedded"] == len(embedded)
            ):
                return True
        return False

    def _incomplete(self, files: list[str]) -> Iterator[str]:
        """What a run lacks that has returned 0, and what it has too many."""
        lines = [line for versions in self.versions.values() for line in versions[-1].lines]
        wanted = {
            "complete": True,
            "lines": len(lines),
            "embedded": sum(bool(line) for line in lines),
            "blank": lines.count(""),
            "rows": sum(bool(line) for line in lines),
        }
        manifest = {}
        if "manifest.json" in files:
            manifest = json.loads((self.out / "manifest.json").read_text())
        if {name: manifest.get(name) for name in wanted} != wanted:
            yield "manifest.json is missing or wrong"
        if lines.count(REJECTED) != sum(manifest.get("rejected", {}).values()):
            yield "manifest.json has other rejects"
        yield from (f"missing: {file}" for file in FILES - set(files))
        stems = {Path(file).stem for file in files if file.startswith("blocks/")}
        for file in files:
            folder, _, name = file.rpartition("/")
            stray = file not in {*FILES, LOG} if not folder else folder not in FOLDERS
            if stray or (folder in ("parts", "rejects") and Path(name).stem not in stems):
                yield f"stray: {file}"
        plans = [json.loads((self.out / f).read_text()) for f in files if f.startswith("plan/")]
        planned = [plan["shard"]["path"] for each in plans for plan in each.get("plans", [each])]
        if sorted(planned) != sorted(self.versions):
            yield "a plan too many or too few"


def pieces_of(accounts: dict[str, Any]) -> list[dict[str, Any]]:
    """The accounts of each file of a block."""
    pieces: list[dict[str, Any]] = accounts.get("pieces", [accounts])
    return pieces


def rows_of(part: Path) -> list[Row]:
    """The rows of a part, read to its last byte."""
    if part.suffix == ".tfrecord":
        return [_record(data) for data in _records(part.read_bytes())]
    table = pq.read_table(part, page_checksum_verification=True, partitioning=None)
    names = [f.name for f in table.schema if _is_vectors(f.type)]
    return [
        (row["shard"], row["offset"], row["tokens"], {n: _array(row[n]) for n in names})
        for row in table.to_pylist()
    ]


def _is_vectors(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind) or (
        pa.types.is_list(kind) and pa.types.is_fixed_size_list(kind.value_type)
    )


def _array(values: list[Any]) -> np.ndarray:
    array = np.array(values, np.float32)
    return array if array.ndim == 2 else array[None]


def _records(data: bytes) -> Iterator[bytes]:
    """TFRecord: length (8 bytes), checksum (4), the record, checksum (4)."""
    while data:
        (size,) = struct.unpack_from("<Q", data)
        if len(data) < size + 16:
            raise ValueError("the last record is cut off")
        yield data[12 : 12 + size]
        data = data[size + 16 :]


def _record(data: bytes) -> Row:
    from elmo_beam.elmo.backend import tf

    example = tf.train.SequenceExample.FromString(data)
    context, lists = example.context.feature, example.feature_lists.feature_list
    key, offset, _ = context["id"].bytes_list.value[0].decode().rsplit(":", 2)
    count = context["num_tokens"].int64_list.value[0]
    vectors = {
        name: _array([feature.float_list.value for feature in found.feature[:count]])
        for name, found in lists.items()
        if name != "tokens"
    }
    if "default" in context:
        vectors["default"] = _array([context["default"].float_list.value])
    tokens = [feature.bytes_list.value[0].decode() for feature in lists["tokens"].feature[:count]]
    return key, int(offset), tokens, vectors
