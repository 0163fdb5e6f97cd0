"""A run's output folder, which belongs to one command at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout
from elmo_beam.transforms.files.lock import locked
from elmo_beam.transforms.files.storage import (
    TEMPORARY,
    clear_temporary,
    delete,
    delete_empty,
    is_remote,
    join,
    list_names,
    read_bytes,
)


@contextmanager
def folder_held(layout: Layout, overwrite: bool) -> Iterator[None]:
    """Hold the folder, created if need be; UserError if it is not a run's, or in use.

    overwrite: remove the run in it first.
    """
    if _names(layout.root) - {os.path.basename(layout.lock), TEMPORARY} and not _is_run(layout):
        raise UserError(
            f"`output` {layout.root} is not empty and not a run of elmo-beam: name another folder"
        )
    with locked(layout.root, layout.lock):
        if overwrite:
            clear(layout)
        clear_temporary(layout.root)
        yield


def _is_run(layout: Layout) -> bool:
    try:
        return "elmo-beam" in json.loads(read_bytes(layout.run) or b"{}")["versions"]
    except (ValueError, KeyError, TypeError):
        return False


def clear(layout: Layout) -> None:
    """Remove a run, and only what its layout names.

    What says that blocks are done goes first and the settings last, so that a clearing that was cut
    off leaves an unfinished run, which can be continued.
    """
    for path in (layout.success, layout.manifest, layout.error_log, layout.report):
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
        raise UserError(f"`output` {root} is a file: name a folder")
    return set(os.listdir(root)) if os.path.isdir(root) else set()
