"""Which files the inputs name."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.storage import (
    exists,
    filesystem,
    is_remote,
    remote_errors_explained,
)


def expand_inputs(patterns: Sequence[str]) -> list[str]:
    """Absolute paths and URLs of the files that the patterns name, each once, sorted.

    A path that exists is taken literally, any other as a glob. Raises UserError for one that
    matches nothing.
    """
    found: set[str] = set()
    for pattern in patterns:
        files = _remote_files(pattern) if is_remote(pattern) else _local_files(pattern)
        if not files:
            raise UserError(f"`inputs` {pattern} matches no file: check the path, quote the glob")
        found.update(files)
    for path in found:
        if not path.isprintable():
            raise UserError(f"`inputs` {path!r} is not a printable UTF-8 name: rename the file")
    return sorted(found)


def _local_files(pattern: str) -> list[str]:
    path = os.path.abspath(pattern)
    if os.path.isdir(path):
        raise UserError(f"`inputs` {pattern} is a folder: name its files, as in '{pattern}/*.txt'")
    if os.path.lexists(path):
        return [path]
    # Not the absolute pattern: the current folder's own name may look like a glob.
    found = glob.glob(pattern, recursive=True)
    return [os.path.abspath(f) for f in found if not os.path.isdir(f)]


def _remote_files(pattern: str) -> list[str]:
    if exists(pattern):
        return [pattern]
    with remote_errors_explained(pattern):
        return [f.path for f in filesystem(pattern).match([pattern])[0].metadata_list]
