"""Files, local or wherever Beam's filesystems reach. A path with `://` is remote.

Nothing is opened under its final name before its bytes are complete: local files are written under
`.tmp` of the output folder and renamed, remote ones uploaded in one go.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from elmo_beam.elmo.errors import UserError, cause_of

TEMPORARY = ".tmp"
UPLOAD_CHUNK = 8 << 20  # bytes in memory at once


def is_remote(path: str) -> bool:
    """Whether a path is a URL for Beam's filesystems."""
    return "://" in path


def filesystem(path: str) -> Any:
    """Beam's filesystem for a URL. Beam is imported only where something is remote."""
    from elmo_beam.transforms import beam_internals

    return beam_internals.filesystem(path)


@contextmanager
def remote_errors_explained(path: str) -> Iterator[None]:
    """UserError for whatever a remote filesystem raises: each has exceptions of its own."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"cannot reach {path} ({cause_of(error)}): check the address, your permissions, and "
            "that the extra for its filesystem ([gcp], [aws]) is installed"
        ) from None


def join(folder: str, *names: str) -> str:
    """A path below a folder, local or remote."""
    return "/".join([folder.rstrip("/"), *names])


def exists(path: str) -> bool:
    """Whether there is a file or folder at the path."""
    if not is_remote(path):
        return os.path.exists(path)
    with remote_errors_explained(path):
        return bool(filesystem(path).exists(path))


def read_bytes(path: str) -> bytes | None:
    """The bytes of a small file, None if there is none."""
    if not exists(path):
        return None
    if not is_remote(path):
        return Path(path).read_bytes()
    with remote_errors_explained(path), open_remote(path) as file:
        return bytes(file.read())


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local file of the same bytes: the file itself if it is local."""
    if not is_remote(path):
        yield path
        return
    with tempfile.NamedTemporaryFile() as copy, open_remote(path) as file:
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield copy.name


def open_remote(path: str) -> IO[bytes]:
    """A remote file as it is, not decompressed."""
    from apache_beam.io.filesystem import CompressionTypes

    stream: IO[bytes] = filesystem(path).open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def list_names(folder: str) -> list[str]:
    """Names of the files in a folder, sorted; empty if there is no folder."""
    if is_remote(folder):
        with remote_errors_explained(folder):
            found = filesystem(folder).match([join(folder, "*")])[0].metadata_list
        return sorted({f.path[len(folder) :].strip("/").split("/")[0] for f in found})
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def delete(path: str) -> None:
    """Remove a file if it exists."""
    if is_remote(path):
        if exists(path):
            with remote_errors_explained(path):
                filesystem(path).delete([path])
    elif os.path.lexists(path):
        os.remove(path)


def delete_empty(folder: str) -> None:
    """Remove a local folder if it is empty."""
    if not is_remote(folder) and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def clear_temporary(root: str) -> None:
    """Remove the unfinished files that a killed command left below a local folder."""
    folder = join(root, TEMPORARY)
    if is_remote(root) or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        if re.fullmatch(r"\.[0-9a-f]{32}", name):
            os.remove(join(folder, name))
    delete_empty(folder)


@contextmanager
def new_file(root: str, path: str) -> Iterator[str]:
    """A local name to write to; at the end, what was written becomes `path`, below folder `root`.

    Raises UserError, with the path and the cause, if the disk or the filesystem refuses.
    """
    folder = os.path.join(root, TEMPORARY)
    if is_remote(root):
        folder = tempfile.gettempdir()
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}")
    try:
        os.makedirs(folder, exist_ok=True)
        yield temporary
        if is_remote(path):
            with remote_errors_explained(path):
                _upload(temporary, path)
        else:
            with open(temporary, "rb+") as file:
                os.fsync(file)  # before the rename, or a power cut leaves a name without bytes
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}): free some space or grant the right "
            "to write, then run the same command again"
        ) from None
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_bytes(root: str, path: str, data: bytes) -> None:
    """Write a small file below folder `root`, whole or not at all."""
    with new_file(root, path) as temporary:
        Path(temporary).write_bytes(data)


def _upload(temporary: str, path: str) -> None:
    from apache_beam.io.filesystem import CompressionTypes

    store = filesystem(path)
    with open(temporary, "rb") as source:
        # Object stores finish the upload on close, even after an exception. A small file is read
        # before the upload begins; a large one that breaks off is deleted again.
        chunk = source.read(UPLOAD_CHUNK)
        sink = store.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
        try:
            while chunk:
                sink.write(chunk)
                chunk = source.read(UPLOAD_CHUNK)
            sink.close()
        except BaseException:
            with contextlib.suppress(Exception):
                sink.close()
            with contextlib.suppress(Exception):
                store.delete([path])
            raise
