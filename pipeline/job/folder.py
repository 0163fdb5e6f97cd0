"""A run's output folder, which belongs to one command at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.accounts import Accounts, read_accounts
from elmo_beam.transforms.files.layout import BLOCK_NAME, PLAN_NAME, Layout
from elmo_beam.transforms.files.lease import FOLDER as LEASES
from elmo_beam.transforms.files.lock import LOCK, held
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import Settings, record_settings
from elmo_beam.transforms.files.storage import (
    TEMPORARY,
    clear_temporary,
    delete,
    delete_empty,
    join,
    list_names,
    read_bytes,
)

# What a folder may hold and still be empty: what others put into every folder, and our own.
EMPTY = {"lost+found", ".DS_Store", "Thumbs.db", "desktop.ini", LOCK, TEMPORARY, LEASES}


@contextmanager
def folder_held(
    layout: Layout, settings: Settings, overwrite: bool, notice: Callable[[str], None]
) -> Iterator[Callable[[], None]]:
    """Hold the folder, created if need be, for a run with these settings, which run.json then has.

    Gives a function that raises UserError if the folder is no longer held. overwrite: remove the
    run in it first. Raises UserError if the folder is not a run's, is in use, or has a run with
    other settings.
    """
    if _names(layout.root) - EMPTY and not _is_run(layout):
        raise UserError(
            f"`output` {layout.root} is not empty and not a run of elmo-beam: name another folder"
        )
    with held(layout.root, notice) as check:
        if overwrite:
            clear(layout)
        elif not _recorded(layout):
            _refuse_other_settings(layout, settings)
        clear_temporary(layout.root)
        record_settings(layout, settings, replace=overwrite or not _recorded(layout))
        yield check


def _is_run(layout: Layout) -> bool:
    """Whether there is a run, even one that has lost its settings."""
    return _recorded(layout) or next(_blocks(layout), None) is not None


def _recorded(layout: Layout) -> bool:
    """Whether run.json can be read."""
    try:
        return "elmo-beam" in json.loads(read_bytes(layout.run) or b"{}")["versions"]
    except (ValueError, KeyError, TypeError):
        return False


def _blocks(layout: Layout) -> Iterator[Accounts]:
    """The accounts of the blocks that are done, one after the other."""
    for name in list_names(layout.blocks):
        match = BLOCK_NAME.fullmatch(name)
        accounts = read_accounts(layout, match["stem"]) if match else None
        if accounts is not None:
            yield accounts


def _refuse_other_settings(layout: Layout, settings: Settings) -> None:
    """UserError if a run without run.json has blocks that were made with other settings."""
    for accounts in _blocks(layout):
        if accounts.run != settings.fingerprint:
            raise UserError(
                f"{layout.run} is missing or damaged, and the run was made with other settings: "
                "use the same, another `output`, or `overwrite`"
            )


def clear(layout: Layout) -> None:
    """Remove a run but for its settings, and only what its layout names.

    What says that blocks are done goes first. run.json stays, so that a clearing that was cut off
    leaves an unfinished run. Raises UserError rather than delete through a symbolic link.
    """
    folders = (layout.blocks, layout.plan, layout.rejects, layout.parts)
    for folder in folders:
        if os.path.islink(folder):
            raise UserError(
                f"{folder} is a symbolic link: `overwrite` does not delete behind it, so remove it "
                "yourself or name another `output`"
            )
    made = (layout.success, layout.words, layout.manifest, layout.error_log, layout.report)
    for path in (*made, layout.top_words):
        delete(path)
    for folder in folders:
        for name in list_names(folder):
            if BLOCK_NAME.fullmatch(name) or PLAN_NAME.fullmatch(name):
                delete(join(folder, name))
        delete_empty(folder)


def _names(root: str) -> set[str]:
    if is_remote(root):
        return set(list_names(root))
    if os.path.exists(root) and not os.path.isdir(root):
        raise UserError(f"`output` {root} is a file: name a folder")
    return set(os.listdir(root)) if os.path.isdir(root) else set()
