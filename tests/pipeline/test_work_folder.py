"""The hidden folder beside a file in the making: gone afterwards, and never another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from elmo_beam.elmo.errors import UserError
from elmo_beam.pipeline.job.work_folder import work_folder
from tests.helpers.refusal import refused


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_beside_the_output_and_gone_at_the_end_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyError), work_folder(str(tmp_path / "out")) as work:
        assert work.parent == tmp_path
        (work / "run" / "parts").mkdir(parents=True)
        (work / "run" / "parts" / "a").write_text("a")
        raise KeyError
    assert names(tmp_path) == []


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name, lock in ((".elmo-beam-k1_lled0", True), (".elmo-beam-no_locks", False)):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "run" / "vectors").write_bytes(b"x" * 100)
        if lock:
            (tmp_path / name / ".lock").touch()
    (tmp_path / ".elmo-beam-of-a-user").mkdir()
    (tmp_path / ".elmo-beam-afile123").touch()
    kept = [".elmo-beam-afile123", ".elmo-beam-of-a-user"]
    with work_folder(str(tmp_path / "one")) as one, work_folder(str(tmp_path / "two")) as two:
        assert names(tmp_path) == sorted([*kept, one.name, two.name])
        (one / "a").touch()
        with work_folder(str(tmp_path / "one")) as again:
            assert (one / "a").exists() and again != one
    assert names(tmp_path) == kept


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "none" / "out", tmp_path, tmp_path / "file" / "out"):
        with refused(output, "name a file in a folder"), work_folder(str(output)):
            pass


def test_a_folder_that_nobody_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> str:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(UserError) as caught, work_folder(str(tmp_path / "out")):
        pass
    assert str(tmp_path / "out") in str(caught.value) and "Permission denied" in str(caught.value)
