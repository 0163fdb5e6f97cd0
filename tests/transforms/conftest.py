"""Folders that many tests of the middle floor need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from elmo_beam.transforms.files.layout import Layout
from tests.helpers.encoders import shared_encoders


@pytest.fixture(scope="module", autouse=True)
def _shared_encoders() -> Iterator[None]:
    with shared_encoders():
        yield


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An output folder that does not exist yet."""
    return Layout(str(tmp_path / "out"))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny model of the session is put."""
    return tmp_path_factory.mktemp("model")
