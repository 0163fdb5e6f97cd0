"""Small files, local or wherever Beam's filesystems reach. A path with `://` is remote.

Nothing is opened under its final name before its bytes are complete: local files are written under
`.tmp` of the output folder and renamed, remote ones uploaded in one go.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from elmo.errors import UserError, cause_of

TEMPORARY = ".tmp"


def is_remote(path: str) -> bool:
    """Whether a path is a URL for Beam's filesystems."""
    return "://" in path


def filesystems() -> Any:
    """Beam's FileSystems, imported only where something is remote.

    Some of them (S3) fail without options; a command that has some sets them first.
    """
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


@contextmanager
def reaching(path: str) -> Iterator[None]:
    """UserError for whatever a remote filesystem raises: each has exceptions of its own."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"cannot reach {path} ({cause_of(error)}): check the address, your rights, and that "
            "the extra for its filesystem ([gcp], [aws]) is installed"
        ) from None


def join(folder: str, *names: str) -> str:
    """A path below a folder, local or remote."""
    return "/".join([folder.rstrip("/"), *names])


def exists(path: str) -> bool:
    """Whether there is a file or folder at the path."""
    if not is_remote(path):
        return os.path.exists(path)
    with reaching(path):
        return bool(filesystems().exists(path))


def read_bytes(path: str) -> bytes | None:
    """The bytes of a small file, None where there is none."""
    if not exists(path):
        return None
    if not is_remote(path):
        return Path(path).read_bytes()
    with reaching(path), open_remote(path) as file:
        return bytes(file.read())


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local file of the same bytes: the file itself where it is local."""
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

    stream: IO[bytes] = filesystems().open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def list_names(folder: str) -> list[str]:
    """Names of the files in a folder, sorted; none where there is no folder."""
    if is_remote(folder):
        with reaching(folder):
            found = filesystems().match([join(folder, "*")])[0].metadata_list
        return sorted({f.path[len(folder) :].strip("/").split("/")[0] for f in found})
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def delete(path: str) -> None:
    """Remove a file if it is there."""
    if is_remote(path):
        if exists(path):
            with reaching(path):
                filesystems().delete([path])
    elif os.path.lexists(path):
        os.remove(path)


def delete_empty(folder: str) -> None:
    """Remove a local folder if nothing is in it."""
    if not is_remote(folder) and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def clear_temporary(root: str) -> None:
    """Remove what a command that was killed left of unfinished files below a local folder."""
    folder = join(root, TEMPORARY)
    if is_remote(root) or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        if re.fullmatch(r"\.[0-9a-f]{32}", name):
            os.remove(join(folder, name))
    delete_empty(folder)


@contextmanager
def new_file(root: str, path: str) -> Iterator[str]:
    """A local name to write to; what was written becomes `path`, below folder `root`, at the end.

    Raises UserError, with the path and the cause, where the disk or the filesystem refuses.
    """
    folder = os.path.join(root, TEMPORARY)
    if is_remote(root):
        folder = tempfile.gettempdir()
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}")
    try:
        os.makedirs(folder, exist_ok=True)
        yield temporary
        if is_remote(path):
            with reaching(path):
                _upload(temporary, path)
        else:
            with open(temporary, "rb+") as file:
                os.fsync(file)  # before the rename, or a power cut leaves a name without bytes
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror or error}): make room or give it the right, "
            "then run the same command again"
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

    with open(temporary, "rb") as source:
        data = source.read()
    # Object stores finish the upload on close, even after an exception: everything that can fail
    # comes before the file is opened.
    with filesystems().create(path, compression_type=CompressionTypes.UNCOMPRESSED) as sink:
        sink.write(data)
