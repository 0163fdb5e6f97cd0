"""Which files the inputs name."""

from __future__ import annotations

import contextlib
import glob
import heapq
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.remote import is_remote, remote
from elmo_beam.transforms.files.storage import exists, join
from elmo_beam.transforms.inputs.shards import written

STARS = re.compile(r"(?<![^/])(?:\*\*(?:/+|$))+")  # a part `**` of a pattern


@dataclass(frozen=True)
class Inputs:
    """The files that patterns name.

    paths: absolute paths and URLs, each real file once, sorted. others: paths left out because
    they lead to the same files through links; of a folder, for all that is below it.
    """

    paths: list[str]
    others: list[str] = field(default_factory=list)


def expand_inputs(patterns: Sequence[str], output: str | None = None) -> Inputs:
    """The files that the patterns name, except those at or below `output`.

    A path that exists is taken literally, any other as a glob. Of several paths to one file, that
    with the fewest links counts, of those the shortest. Raises UserError for a pattern that names
    nothing, or a folder, or literally a file below `output`.
    """
    real, others = _RealPaths(), set[str]()
    found: set[str] = set()
    root = None
    if output is not None:
        root = real[output if is_remote(output) else os.path.abspath(output)].rstrip("/")
    for pattern in patterns:
        literal, files = _matching(pattern, real, others)
        if not files:
            raise UserError(f"`inputs` {pattern} matches no file: check the path, quote the glob")
        kept = [path for path in files if root is None or not _lies_in(real[path], root)]
        if not kept:
            relation = "lies in" if literal else "matches only files in"
            raise UserError(f"`inputs` {pattern} {relation} `output` {output}: name another folder")
        found.update(kept)
    paths = _plainest(found, real)
    others |= found - paths
    return Inputs(sorted(map(written, paths)), sorted(map(written, others)))


class _RealPaths(dict[str, str]):
    """Absolute paths without their links, by the path, each looked up once; URLs as they are."""

    def __missing__(self, path: str) -> str:
        folder, name = os.path.split(path)
        if is_remote(path):
            self[path] = path.rstrip("/")
        elif not name or os.path.islink(path):
            self[path] = os.path.realpath(path)
        else:
            self[path] = join(self[folder], name)
        return self[path]


def _matching(pattern: str, real: _RealPaths, others: set[str]) -> tuple[bool, list[str]]:
    """Whether a pattern is the path of a file, and the files that it names."""
    if is_remote(pattern):
        if exists(pattern):
            return True, [pattern]
        match = remote(pattern, lambda store: store.match([pattern])[0])
        return False, [file.path for file in match.metadata_list]
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        raise UserError(f"`inputs` {pattern} is a folder: name its files, as in '{pattern}/*.txt'")
    if os.path.lexists(path):
        return True, [path]
    # Not the absolute pattern: the current folder's own name may look like a glob.
    found = _globbed(pattern, real, others)
    return False, [os.path.abspath(name) for name in found if not os.path.isdir(name)]


def _lies_in(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _globbed(pattern: str, real: _RealPaths, others: set[str]) -> Iterator[str]:
    """As glob.glob(recursive=True), which goes round a loop of links until the path is too long."""
    stars = STARS.search(pattern)
    if stars is None:
        yield from glob.glob(pattern)
        return
    before, after = pattern[: stars.start()], pattern[stars.end() :] or "*"
    for folder in _folders(glob.glob(before) if before else [""], real, others):
        yield from _globbed(os.path.join(glob.escape(folder), after), real, others)


def _folders(tops: Sequence[str], real: _RealPaths, others: set[str]) -> Iterator[str]:
    """Folders and all below them that are not hidden, each once, by its plainest path.

    The other paths to one, whose files are found by that path already, go to `others`.
    """
    waiting = [_plainness(top) for top in tops]
    heapq.heapify(waiting)
    seen: set[str] = set()
    while waiting:
        path = heapq.heappop(waiting)[-1]
        target = real[os.path.abspath(path)]
        if target in seen:
            others.add(os.path.abspath(path))
            continue
        seen.add(target)
        yield path
        with contextlib.suppress(OSError):  # glob passes over a folder that cannot be read, too
            for entry in os.scandir(path or "."):
                below = os.path.join(path, entry.name)
                is_folder = os.path.isdir(below) if entry.is_symlink() else entry.is_dir()
                if is_folder and not entry.name.startswith("."):
                    heapq.heappush(waiting, _plainness(below))


def _plainest(paths: set[str], real: _RealPaths) -> set[str]:
    """Of all paths to each file the plainest."""
    by_file: dict[str, list[str]] = {}
    for path in paths:
        by_file.setdefault(real[path], []).append(path)
    return {min(same, key=_plainness) if len(same) > 1 else same[0] for same in by_file.values()}


def _plainness(path: str) -> tuple[int, int, str]:
    """The plainest of several paths has the least: fewest links, then shortest, then first."""
    links = sum(map(os.path.islink, accumulate(path.split("/"), join)))
    return links, len(path), path
