"""Where the reference data lie, and how Hypothesis runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from elmo_beam.transforms.files import retry

# The files that take longest begin first, so that no process works alone at the end.
LONGEST = (
    "test_flink.py",
    "test_train.py",
    "test_stopping.py",
    "test_embedding.py",
    "test_layer.py",
)

# Where no language is named, argparse looks for translations on disk for each flag of Beam's, a
# thousand in a job. Commands that tests start inherit it.
os.environ["LANGUAGE"] = "C"

settings.register_profile("elmo-beam", deadline=None, print_blob=True)
settings.load_profile("elmo-beam")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that may pass are tried again at once."""
    monkeypatch.setattr(retry, "WAITS", (0.0, 0.0))


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is fetched or unpacked goes into a folder of the tests'."""
    monkeypatch.setenv("ELMO_BEAM_CACHE", str(tmp_path_factory.getbasetemp() / "elmo-beam-cache"))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data beside the repository; a stranger's clone has none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}")
    return folder


@pytest.fixture(scope="session")
def bilm_tf(reference: Path) -> Path:
    """The ELMo authors' own small biLM, in the published layout."""
    return reference / "bilm_tf"


@pytest.fixture(scope="session")
def hub_module(reference: Path) -> Path:
    """The same biLM as a TF-Hub module in the format of google/elmo."""
    return reference / "hub_module"
