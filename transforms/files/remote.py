"""Files behind Beam's filesystems. A path with `://` is remote."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable
from typing import IO, Any, TypeVar

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.transforms.files.retry import is_retried, may_pass, retried, root_of
from elmo_beam.transforms.files.schemes import check_known, check_output_known

T = TypeVar("T")

UPLOAD_CHUNK = 8 << 20  # bytes in memory at once


def is_remote(path: str) -> bool:
    """Whether a path is a URL for Beam's filesystems."""
    return "://" in path


def filesystem(path: str) -> Any:
    """Beam's filesystem for a URL; UserError if it has none.

    Beam is imported only where something is remote.
    """
    from elmo_beam.transforms import beam_internals

    check_known(path, beam_internals.schemes())
    beam_internals.leave_retries_to(is_retried)
    return beam_internals.filesystem(path)


def check_output(path: str) -> None:
    """UserError for an output folder that no filesystem can write to."""
    if is_remote(path):
        from elmo_beam.transforms import beam_internals

        check_output_known(path, beam_internals.schemes())


def remote(path: str, action: Callable[[Any], T]) -> T:
    """What an action gives on the filesystem of a URL, tried again after an error that may pass.

    Raises UserError for whatever the filesystem raises in the end, since each has exceptions of its
    own; and OSError if the local disk is full.
    """
    try:
        return retried(lambda: action(filesystem(path)))
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the local disk
        if may_pass(error):
            remedy = "run the command again"
        else:
            remedy = (
                "check the address, your permissions, and that the extra for its filesystem "
                "([gcp], [aws]) is installed"
            )
        raise UserError(f"cannot reach {path} ({remote_cause(error)}): {remedy}") from None


def remote_cause(error: Exception) -> str:
    """What went wrong behind a filesystem, in one line."""
    root = root_of(error)
    return str(getattr(root, "message", None) or cause_of(root)).splitlines()[0]


def open_remote(path: str) -> IO[bytes]:
    """A remote file as it is, not decompressed; whatever its filesystem raises."""
    from apache_beam.io.filesystem import CompressionTypes

    stream: IO[bytes] = filesystem(path).open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def read_remote(path: str) -> bytes | None:
    """The bytes of a small remote file, None if there is none; UserError."""

    def read(store: Any) -> bytes | None:
        if not store.exists(path):
            return None
        with open_remote(path) as file:
            return bytes(file.read())

    return remote(path, read)


def download(path: str, to: IO[bytes]) -> None:
    """Copy a remote file into an open local one; UserError."""

    def copy(_: Any) -> None:
        to.seek(0)
        to.truncate()
        with open_remote(path) as file:
            shutil.copyfileobj(file, to)
        to.flush()

    remote(path, copy)


def upload(local: str, path: str) -> None:
    """Copy a local file to a URL, whole or not at all; UserError."""
    remote(path, lambda store: _upload(store, local, path))


def _upload(store: Any, local: str, path: str) -> None:
    from apache_beam.io.filesystem import CompressionTypes

    with open(local, "rb") as source:
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


def delete_remote(path: str) -> None:
    """Remove a remote file if it exists; UserError."""

    def delete(store: Any) -> None:
        if store.exists(path):
            store.delete([path])

    remote(path, delete)


def list_remote(folder: str) -> dict[str, float]:
    """The files in a remote folder: their names, and when the store last changed them."""
    prefix = f"{folder.rstrip('/')}/"

    def match(store: Any) -> list[Any]:
        return list(store.match([f"{prefix}*"])[0].metadata_list)

    found = remote(folder, match)
    times: dict[str, float] = {}
    for file in found:  # where there are no folders, * may match further down
        name = file.path[len(prefix) :].split("/")[0]
        times[name] = max(times.get(name, 0.0), file.last_updated_in_seconds or 0.0)
    return times
