"""Files, local or wherever Beam's filesystems reach.

Nothing is opened under its final name before its bytes are complete: local files are written under
`.tmp` of the output folder and renamed, remote ones uploaded in one go.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from elmo_beam.elmo.errors import UserError, cause_of, writing_remedy
from elmo_beam.transforms.files.remote import (
    delete_remote,
    download,
    is_remote,
    list_remote,
    read_remote,
    remote,
    upload,
)
from elmo_beam.transforms.files.retry import retried
from elmo_beam.transforms.files.temporary import temporary_errors_explained

S = TypeVar("S")
T = TypeVar("T")

TEMPORARY = ".tmp"
READERS = 16  # small files read at once


def of_each(root: str, action: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """What an action on many small files below a folder gives, in order.

    Remote files take a while each, so several are read at once; for local ones threads only wait
    for each other.
    """
    if not is_remote(root):
        return [action(item) for item in items]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(action, items))


def join(folder: str, *names: str) -> str:
    """A path below a folder, local or remote."""
    return "/".join([folder.rstrip("/"), *names])


@contextmanager
def local_errors_explained(path: str) -> Iterator[None]:
    """UserError for a file or folder that cannot be read."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({cause_of(error)}): see that this user may read it, then run the "
            "same command again"
        ) from None


def exists(path: str) -> bool:
    """Whether there is a file or folder at the path."""
    if is_remote(path):
        return remote(path, lambda store: bool(store.exists(path)))
    with local_errors_explained(path):  # os.path.exists would take an error for an absence
        try:
            retried(lambda: os.stat(path))
            return True
        except (FileNotFoundError, NotADirectoryError):
            return False


def read_bytes(path: str) -> bytes | None:
    """The bytes of a small file, None if there is none; UserError if it cannot be read."""
    if is_remote(path):
        return read_remote(path)
    with local_errors_explained(path):
        try:
            return retried(Path(path).read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local file of the same bytes: the file itself if it is local. UserError."""
    if not is_remote(path):
        yield path
        return
    with temporary_errors_explained():
        copy = tempfile.NamedTemporaryFile()  # noqa: SIM115
    with copy:
        with temporary_errors_explained():
            download(path, copy)
        yield copy.name


def list_names(folder: str) -> list[str]:
    """Names of the files in a folder, sorted; empty if there is no folder."""
    if is_remote(folder):
        return sorted(list_remote(folder))
    with local_errors_explained(folder):
        try:
            return sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []


def list_times(folder: str) -> dict[str, float]:
    """The files in a folder and when they last changed, in seconds of the store's own clock."""
    if is_remote(folder):
        return list_remote(folder)
    times = {}
    for name in list_names(folder):
        with contextlib.suppress(FileNotFoundError):  # removed just now
            times[name] = os.stat(join(folder, name)).st_mtime
    return times


def delete(path: str) -> None:
    """Remove a file if it exists; UserError."""
    if is_remote(path):
        delete_remote(path)
        return
    try:
        os.remove(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UserError(
            f"cannot remove {path} ({cause_of(error)}): grant the right to write, then run the "
            "same command again"
        ) from None


def delete_empty(folder: str) -> None:
    """Remove a local folder if it is empty."""
    if not is_remote(folder):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def clear_temporary(root: str) -> None:
    """Remove the unfinished files that a killed command left below a local folder."""
    if is_remote(root):
        return
    folder = join(root, TEMPORARY)
    with contextlib.suppress(OSError):  # they are in nobody's way
        for name in os.listdir(folder):
            if re.fullmatch(r"\.[0-9a-f]{32}", name):
                os.remove(join(folder, name))
    delete_empty(folder)


@contextmanager
def new_file(root: str, path: str) -> Iterator[str]:
    """A local name to write to; at the end, what was written becomes `path`, below folder `root`.

    Raises UserError, with the path and the cause, if the disk or the filesystem refuses.
    """
    where = path
    folder = os.path.join(root, TEMPORARY)
    if is_remote(root):
        where = folder = tempfile.gettempdir()
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}")
    try:
        os.makedirs(folder, exist_ok=True)
        if is_remote(root):  # in a folder that others may read
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield temporary
        if is_remote(path):
            upload(temporary, path)
        else:
            with open(temporary, "rb+") as file:
                os.fsync(file)  # before the rename, or a power cut leaves a name without bytes
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(temporary, path)
    except OSError as error:
        remedy = writing_remedy(error, "free some space or grant the right to write")
        raise UserError(
            f"cannot write {where} ({cause_of(error)}): {remedy}, then run the same command again"
        ) from None
    finally:
        with contextlib.suppress(OSError):  # its cause must not hide the one above
            os.remove(temporary)


def write_bytes(root: str, path: str, data: bytes) -> None:
    """Write a small file below folder `root`, whole or not at all."""
    with new_file(root, path) as temporary:
        Path(temporary).write_bytes(data)
