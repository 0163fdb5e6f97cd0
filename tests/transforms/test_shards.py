"""An input file as it is now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.transforms.inputs.shards import Shard, Unread, stat_shard
from tests.helpers.blocks import write_shard


def test_a_shard_is_its_path_size_and_time(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "new.txt", b"123456")
    os.utime(path, (1.5, 1234567890.25))  # does not hide that the file has changed
    assert stat_shard(path) == Shard(path, 6, os.stat(path).st_ctime)
    with pytest.raises(Unread, match="No such file"):
        stat_shard(str(tmp_path / "gone"))
    with pytest.raises(Unread, match="nowhere"):
        stat_shard("nowhere://x/a.txt")


def test_a_cause_is_one_line() -> None:
    assert cause_of(OSError(2, "No such file", "/a")) == "No such file"
    assert cause_of(OSError(5, "cannot read (\nerrno = 5)")) == "cannot read ("
    assert cause_of(ValueError("first\nsecond")) == "first"
    assert cause_of(KeyError()) == "KeyError"
    assert cause_of(UserError("plain")) == "plain"
