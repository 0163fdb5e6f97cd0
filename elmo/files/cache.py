"""The folder in which what was fetched and unpacked is kept: $ELMO_BEAM_CACHE."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import sha256_of

VARIABLE = "ELMO_BEAM_CACHE"
CONTENTS = ".contents"  # of a folder: what is in it


def cache_folder() -> Path:
    """Where it is; by default where the system keeps a user's caches."""
    if own := os.environ.get(VARIABLE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "elmo-beam"


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """A folder of the cache, filled the first time it is asked for; UserError if it cannot be.

    fill: fills an empty folder; it is called by one process at a time, and what an interrupted one
    left is removed. A folder that is not as it was filled is filled again.
    """
    folder = cache_folder() / name
    if _is_as_filled(folder):
        return folder
    with locked(folder.parent, folder.name):
        if _is_as_filled(folder):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(mode=0o700)
            fill(unfinished)
            contents = json.dumps(_contents(unfinished))
            (unfinished / CONTENTS).write_text(contents, encoding="utf-8")
            os.rename(unfinished, folder)
        except OSError as error:
            raise cannot_write(error) from None
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _contents(folder: Path) -> dict[str, str]:
    """The digest of each file of a folder, by its path in there."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CONTENTS)
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(files)}


def _is_as_filled(folder: Path) -> bool:
    try:
        recorded = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        return bool(_contents(folder) == recorded)
    except (OSError, ValueError):
        return False


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Hold one name in a folder of the cache, waiting for whoever holds it.

    Where the filesystem knows no locks, two processes may do the same work twice.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise cannot_write(error) from None
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def cannot_write(error: OSError) -> UserError:
    """What to raise if the cache cannot be written."""
    return UserError(
        f"cannot write to the cache {cache_folder()} ({cause_of(error)}): set {VARIABLE} to a "
        "folder that you may write to, with room for the model"
    )
