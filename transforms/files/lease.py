"""A lease on a folder that cannot be locked: a file that its holder keeps renewing.

Object stores as Beam sees them have no create-if-absent. So a command first puts its own file, then
lists: of two at once, at least one sees the other and gives way, and both may. Ages are by the
store's own times, since the clocks of two machines may differ.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.storage import (
    delete,
    delete_empty,
    join,
    list_times,
    read_bytes,
    write_bytes,
)

FOLDER = "lease"  # its name below the folder that is leased
RENEW = 20.0  # seconds
EXPIRES = 120.0  # seconds after its last renewal, when the holder must be gone


class Lease:
    """The lease of this process on a folder; UserError if another lives."""

    def __init__(self, root: str) -> None:
        self._root, self._folder = root, join(root, FOLDER)
        self._name = f"{uuid.uuid4().hex}.json"
        self._holder = {
            "host": socket.gethostname(),
            "started": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
            "process": _process_id(os.getpid()),
        }
        self._ended = threading.Event()
        self._put()
        try:
            expired = self._others_expired()
        except BaseException:
            self.release()
            raise
        for name in expired:
            delete(join(self._folder, name))
        threading.Thread(target=self._renew, daemon=True).start()

    def check(self) -> None:
        """UserError if another command may hold the folder now, as after a long suspension."""
        if self._name not in list_times(self._folder):
            raise UserError(
                f"the lease on {self._root} was lost while this command was suspended or cut off: "
                "run the same command again"
            )
        self._others_expired()

    def release(self) -> None:
        """Give the folder up."""
        self._ended.set()
        with suppress(UserError):  # it expires by itself
            delete(join(self._folder, self._name))
        delete_empty(self._folder)

    def _put(self) -> None:
        write_bytes(self._root, join(self._folder, self._name), json.dumps(self._holder).encode())

    def _renew(self) -> None:
        while not self._ended.wait(RENEW):
            with suppress(UserError):  # the next time may do
                if self._name not in list_times(self._folder):
                    return  # another command has found it expired
                self._put()

    def _others_expired(self) -> list[str]:
        """The names of others' leases; UserError if one of them lives."""
        times = list_times(self._folder)
        now = times.pop(self._name, max(times.values(), default=0.0))
        _refuse_living(self._root, times, now)
        return list(times)


def refuse_leased(root: str) -> None:
    """UserError if a local folder is leased at this moment."""
    _refuse_living(root, list_times(join(root, FOLDER)), time.time())


def _refuse_living(root: str, times: dict[str, float], now: float) -> None:
    for name, renewed in times.items():
        if renewed > now - EXPIRES:
            holder = _holder_of(read_bytes(join(root, FOLDER, name)))
            if holder is not None and not _is_dead(holder):
                raise UserError(
                    f"another elmo-beam is writing to {root} (on {holder['host']}, since "
                    f"{holder['started']}): wait for it, or stop it first"
                )


def _holder_of(text: bytes | None) -> dict[str, Any] | None:
    """Who holds a lease, None if it is gone by now."""
    if text is None:
        return None
    unknown = {"host": "an unknown host", "started": "an unknown time", "process": None}
    try:
        return {**unknown, **json.loads(text)}
    except (ValueError, TypeError):
        return unknown


def _process_id(pid: int) -> list[str] | None:
    """What no other process of any machine shares, None if there is no such process."""
    try:
        started = str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id")
    machine = boot.read_text().strip() if boot.exists() else socket.gethostname()
    namespace = os.readlink("/proc/self/ns/pid") if os.path.islink("/proc/self/ns/pid") else ""
    return [machine, namespace, str(pid), started]


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that has ended: no need to wait."""
    theirs, ours = holder["process"], _process_id(os.getpid())
    if not isinstance(theirs, list) or ours is None or theirs[:2] != ours[:2]:
        return False
    return _process_id(int(theirs[2])) != theirs
