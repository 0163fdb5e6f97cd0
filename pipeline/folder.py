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
from transforms.layout import OWN_NAMES, Layout
from transforms.settings import COMPARED, Settings
from transforms.storage import (
    TEMPORARY,
    delete,
    is_remote,
    join,
    list_names,
    read_bytes,
    write_bytes,
)

LIBRARIES = ("apache-beam", "tensorflow", "tensorflow-hub", "pyarrow", "numpy", "sacremoses")


def layout_of(output: str) -> Layout:
    """The layout below `--output`, absolute where local."""
    return Layout(output.rstrip("/") if is_remote(output) else os.path.abspath(output))


@contextmanager
def folder_taken(layout: Layout, overwrite: bool) -> Iterator[None]:
    """Hold the folder, made if need be; UserError where it is another's, or in use.

    The lock is on an open file, so it dies with the process. A remote folder has none.
    """
    root = layout.root
    names = set(_names(root)) - {".lock"}
    is_run = read_bytes(layout.run) is not None
    if names - set(OWN_NAMES) and not is_run:
        raise UserError(
            f"--output {root} is not empty and no run of elmo-beam: name another folder"
        )
    if names and not is_run and not overwrite:
        raise UserError(f"--output {root} has no run.json: start afresh with --overwrite")
    lock = _lock(layout)
    try:
        if overwrite:
            for name in OWN_NAMES:
                if name != ".lock":
                    delete_all(layout, name)
        if not is_remote(root):
            delete(join(root, TEMPORARY))  # left by a run that was killed
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _names(root: str) -> list[str]:
    if is_remote(root):
        return list_names(root)
    if os.path.exists(root) and not os.path.isdir(root):
        raise UserError(f"--output {root} is a file: name a folder")
    return os.listdir(root) if os.path.isdir(root) else []


def _lock(layout: Layout) -> int | None:
    if is_remote(layout.root):
        return None
    try:
        os.makedirs(layout.root, exist_ok=True)
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"cannot write to --output {layout.root} ({error.strerror}): name a folder that you "
            "may write to"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UserError(
            f"another elmo-beam is writing to {layout.root}: wait for it, or stop it first"
        ) from None
    return descriptor


def delete_all(layout: Layout, name: str) -> None:
    """Remove one of our names in a run's folder, with all below it."""
    path = join(layout.root, name)
    if is_remote(path):
        for inner in list_names(path):
            delete(join(path, inner))
    delete(path)


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


def read_settings(layout: Layout) -> Settings:
    """The settings of the run in a folder; UserError where there is none."""
    text = read_bytes(layout.run)
    if text is None:
        raise UserError(f"{layout.root} is no run of elmo-beam: it has no run.json")
    try:
        return Settings.from_json(json.loads(text)["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{layout.run} is damaged ({error}): start afresh with --overwrite"
        ) from None


def versions() -> dict[str, str]:
    """Versions of ourselves and of what the vectors depend on."""
    return {"elmo-beam": __version__, **{name: metadata.version(name) for name in LIBRARIES}}
