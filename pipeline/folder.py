"""A run's output folder: taken by one command at a time, and by one run's settings."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from elmo.errors import UserError
from pipeline import __version__
from transforms.layout import BLOCK_NAME, PLAN_NAME, Layout
from transforms.settings import COMPARED, Settings, read_settings
from transforms.storage import (
    TEMPORARY,
    clear_temporary,
    delete,
    delete_empty,
    is_remote,
    join,
    list_names,
    read_bytes,
    write_bytes,
)

LIBRARIES = ("apache-beam", "tensorflow", "tensorflow-hub", "pyarrow", "numpy", "sacremoses")


@contextmanager
def folder_taken(layout: Layout, overwrite: bool) -> Iterator[None]:
    """Hold the folder, made if need be; UserError where it is another's, or in use.

    The lock is on an open file, so it dies with the process. A remote folder has none.
    """
    if _names(layout.root) - {os.path.basename(layout.lock), TEMPORARY} and not _is_run(layout):
        raise UserError(
            f"--output {layout.root} is not empty and no run of elmo-beam: name another folder"
        )
    with locked(layout.root, layout.lock):
        if overwrite:
            clear(layout)
        clear_temporary(layout.root)
        yield


def refuse_running(layout: Layout) -> None:
    """UserError where a command is writing to the folder at this moment."""
    if is_remote(layout.root) or not os.path.exists(layout.lock):
        return
    with open(layout.lock, "rb") as file:
        _flock(layout.root, file.fileno(), fcntl.LOCK_SH)


def _is_run(layout: Layout) -> bool:
    try:
        return "elmo-beam" in json.loads(read_bytes(layout.run) or b"{}")["versions"]
    except (ValueError, KeyError, TypeError):
        return False


def clear(layout: Layout) -> None:
    """Remove a run, and only what its layout names.

    What says that blocks are done goes first and the settings last, so that a clearing that was
    cut off is no finished run, and can be taken up.
    """
    for path in (layout.success, layout.manifest, layout.error_log, layout.page):
        delete(path)
    for folder in (layout.blocks, layout.plan, layout.rejects, layout.parts):
        for name in list_names(folder):
            if BLOCK_NAME.fullmatch(name) or PLAN_NAME.fullmatch(name):
                delete(join(folder, name))
        delete_empty(folder)
    delete(layout.run)


def _names(root: str) -> set[str]:
    if is_remote(root):
        return set(list_names(root))
    if os.path.exists(root) and not os.path.isdir(root):
        raise UserError(f"--output {root} is a file: name a folder")
    return set(os.listdir(root)) if os.path.isdir(root) else set()


@contextmanager
def locked(root: str, lock: str) -> Iterator[None]:
    """Hold a folder, made if need be, by a lock on file `lock`; UserError where it is in use."""
    if is_remote(root):
        yield
        return
    try:
        os.makedirs(root, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"cannot write to --output {root} ({error.strerror}): name a folder that you may "
            "write to"
        ) from None
    try:
        _flock(root, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _flock(root: str, descriptor: int, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        raise UserError(
            f"another elmo-beam is writing to {root}: wait for it, or stop it first"
        ) from None


def settle(layout: Layout, settings: Settings) -> None:
    """Write run.json, or compare with the one there; UserError says what differs."""
    text = read_bytes(layout.run)
    if text is not None:
        _compare(layout, read_settings(layout), settings)
    document: dict[str, Any] = {"settings": settings.to_json(), "versions": versions()}
    data = (json.dumps(document, indent=2) + "\n").encode()
    if data != text:
        write_bytes(layout.root, layout.run, data)


def _compare(layout: Layout, before: Settings, now: Settings) -> None:
    differing = [
        f"{_flag(name)} {_shown(name, old)}, now {_shown(name, new)}"
        for name in COMPARED
        for old, new in [(getattr(before, name), getattr(now, name))]
        if old != new
    ]
    if differing:
        raise UserError(
            f"{layout.root} is a run with other settings ({'; '.join(differing)}): use the same, "
            "another --output, or --overwrite"
        )


def _flag(name: str) -> str:
    return "--model with digest" if name == "digest" else f"--{name}"


def _shown(name: str, value: Any) -> str:
    if name == "digest":
        return str(value)[:12]
    return ",".join(value) if isinstance(value, tuple) else str(value)


def versions() -> dict[str, str]:
    """Versions of ourselves and of what the vectors depend on."""
    return {"elmo-beam": __version__, **{name: metadata.version(name) for name in LIBRARIES}}
