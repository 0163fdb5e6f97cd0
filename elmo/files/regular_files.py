"""A model folder's files, wherever the folder came from: no pipe or device is opened."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from elmo_beam.elmo.errors import UserError, cause_of

MOST_OPTIONS = 1 << 20  # bytes of an options.json; published ones have 500


def check_regular(path: Path) -> int:
    """The size in bytes; UserError if the path leads to no regular file.

    Reading a FIFO could wait for ever, and reading a device never end.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise UserError(f"cannot read {path} ({cause_of(error)}): fetch the model again") from None
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} is not a regular file: name the file, or fetch the model again")
    return found.st_size


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes; UserError otherwise."""
    too_long = UserError(f"{path} has more than {most:,} bytes, as no ELMo's has: fetch it again")
    if check_regular(path) > most:
        raise too_long
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)  # files of /proc do not know their size
    except OSError as error:
        raise UserError(f"cannot read {path} ({cause_of(error)}): fetch the model again") from None
    if len(data) > most:
        raise too_long
    return data


def sha256_of(path: str | Path) -> str:
    """The digest of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
