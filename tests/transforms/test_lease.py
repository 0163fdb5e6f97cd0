"""One command at a time on a folder: leases on a real S3 server, or where nothing is lockable."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files import lease
from elmo_beam.transforms.files.lease import EXPIRES, Lease
from elmo_beam.transforms.files.lock import held
from elmo_beam.transforms.files.storage import delete, join, list_names, write_bytes
from tests.helpers.refusal import refused
from tests.helpers.s3 import s3_in_this_process


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_in_this_process() as address:
        yield address


@pytest.fixture(params=["s3", "local"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder, remote or local."""
    if request.param == "local":
        return str(tmp_path)
    return join(request.getfixturevalue("bucket"), tmp_path.name)


def silent(_: str) -> None:
    raise AssertionError("nothing to be said")


def test_a_second_command_is_refused_until_the_first_ends(root: str) -> None:
    first = Lease(root)
    with refused(f"another elmo-beam is writing to {root}", socket.gethostname(), "UTC", "wait"):
        Lease(root)
    first.check()  # the refused one has left nothing behind
    assert len(list_names(join(root, "lease"))) == 1
    first.release()
    assert list_names(join(root, "lease")) == []
    second = Lease(root)
    second.check()
    second.release()


def test_a_lease_that_was_taken_away_is_lost(root: str) -> None:
    mine = Lease(root)
    for name in list_names(join(root, "lease")):
        delete(join(root, "lease", name))
    with refused("lease", root, "lost", "run the same command again"):
        mine.check()
    mine.release()


def put_lease(root: str, process: list[str] | None) -> None:
    holder = {"host": "elsewhere", "started": "2020-01-01 00:00:00 UTC", "process": process}
    write_bytes(root, join(root, "lease", "other.json"), json.dumps(holder).encode())


def test_a_lease_of_another_that_appears_is_noticed(root: str) -> None:
    mine = Lease(root)
    put_lease(root, ["another machine", "", "1", "2.0"])
    with refused(root, "elsewhere", "2020-01-01"):
        mine.check()
    mine.release()


@pytest.mark.parametrize("text", [b" ", b"{", b"[]", b'{"host": 1}', b'{"process": ["a"]}'])
def test_a_lease_that_cannot_be_read_still_holds(tmp_path: Path, text: bytes) -> None:
    root = str(tmp_path)
    write_bytes(root, join(root, "lease", "other.json"), text)
    with pytest.raises(UserError, match="another elmo-beam"):
        Lease(root)


def test_a_lease_of_a_process_that_has_ended_holds_no_more(root: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = lease._process_id(ended.pid)
    assert process is not None
    put_lease(root, process)
    with pytest.raises(UserError, match="elsewhere"):
        Lease(root)
    ended.communicate()
    mine = Lease(root)
    assert "other.json" not in list_names(join(root, "lease"))
    mine.release()


def test_a_lease_expires_by_the_times_of_the_store(tmp_path: Path) -> None:
    root = str(tmp_path)
    for age, refuses in ((EXPIRES - 30, True), (EXPIRES + 30, False)):
        put_lease(root, None)
        then = time.time() - age
        os.utime(tmp_path / "lease" / "other.json", (then, then))
        if refuses:
            with pytest.raises(UserError, match="another elmo-beam"):
                Lease(root)
        else:
            Lease(root).release()


def test_a_lease_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW", 0.05)
    mine = Lease(str(tmp_path))
    [file] = (tmp_path / "lease").iterdir()
    os.utime(file, (0, 0))
    began = time.monotonic()
    while file.stat().st_mtime == 0:
        assert time.monotonic() - began < 20
        time.sleep(0.05)
    mine.release()
    time.sleep(0.2)
    assert not file.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL])
def test_a_folder_that_cannot_be_locked_is_leased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(descriptor: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    root, said = str(tmp_path / "out"), list[str]()
    with held(root, said.append) as check:
        check()
        assert said == [f"{root} cannot be locked ({os.strerror(number)}): a lease is used instead"]
        with refused(root, socket.gethostname()), held(root, said.append):
            pass
    with held(root, said.append):
        pass


def test_a_locked_folder_is_held_by_one(tmp_path: Path) -> None:
    root = str(tmp_path / "out")
    with held(root, silent) as check:
        check()
        with refused("another elmo-beam is writing", root), held(root, silent):
            pass
        assert not (tmp_path / "out" / "lease").exists()
    with held(root, silent):
        pass
