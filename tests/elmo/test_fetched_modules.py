"""A module that tensorflow_hub fetches: what its archive holds stays in the cache."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from elmo_beam.elmo.formats.handles import read_weights
from elmo_beam.elmo.model.options import ModelOptions
from tests.helpers.hub_modules import make_tf1_module
from tests.helpers.oracle import random_weights
from tests.helpers.refusal import refused

OPTIONS = ModelOptions(
    filters=((1, 4),), char_dim=4, activation="relu", n_highway=0, max_characters=50, lstm_dim=6,
    projection_dim=5, n_layers=1, cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
)  # fmt: skip


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of what is in tmp_path/served, to be fetched into tmp_path/cache."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "served").mkdir()
    handler = partial(QuietHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_module_is_fetched_unpacked_and_read(served: str, tmp_path: Path) -> None:
    weights = random_weights(OPTIONS)
    module = make_tf1_module(weights, tmp_path / "module")
    with tarfile.open(tmp_path / "served" / "elmo", "w:gz") as archive:
        archive.add(module, ".")
    assert read_weights(f"{served}/elmo").digest == weights.digest


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 4 * (kind == tarfile.REGTYPE)
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../outside")],
        [member("variables/../../outside")],
        [member("inside", tarfile.SYMTYPE, "../.."), member("inside/outside")],
        [member("inside", tarfile.SYMTYPE, "/etc/passwd")],
        [member("inside", tarfile.LNKTYPE, "../../outside")],
        [member("inside", tarfile.FIFOTYPE)],
        [member("inside", tarfile.CHRTYPE)],
    ],
    ids=["parent", "hidden parent", "through a link", "link", "hard link", "fifo", "device"],
)
def test_an_archive_that_leads_elsewhere_is_refused(
    served: str, tmp_path: Path, members: list[tarfile.TarInfo]
) -> None:
    with tarfile.open(tmp_path / "served" / "elmo", "w:gz") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(b"data"))
    with refused("cannot fetch", served):
        read_weights(f"{served}/elmo")
    left = {path for path in tmp_path.rglob("*") if path.name in ("outside", "inside")}
    assert not left, "something of the archive is there"


def test_an_absolute_path_in_an_archive_is_one_in_the_cache(served: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    with tarfile.open(tmp_path / "served" / "elmo", "w:gz") as archive:
        folder = tarfile.TarInfo(str(outside.parent))
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        archive.addfile(member(str(outside)), io.BytesIO(b"data"))
    with refused("no model"):
        read_weights(f"{served}/elmo")
    assert not outside.exists()
