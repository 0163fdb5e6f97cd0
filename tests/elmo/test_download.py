"""Models at a URL: fetched once, whole, and on from where a try broke off."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from elmo_beam.elmo.files import download
from elmo_beam.elmo.files.download import fetched
from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.formats.handles import read_weights
from tests.helpers.http_server import Served, served
from tests.helpers.models import OPTIONS, unmixed
from tests.helpers.refusal import refused

CONTENT = bytes(range(256)) * 9000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server of tmp_path/served, and an empty cache at tmp_path/cache."""
    monkeypatch.setenv("ELMO_BEAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file.zip").write_bytes(CONTENT)
    with served(tmp_path / "served") as state:
        yield state


def test_a_file_is_fetched_once(server: Served) -> None:
    for _ in range(3):
        assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT
    assert server.asked == [("/file.zip", 0)]


def test_a_try_that_breaks_off_is_resumed(server: Served) -> None:
    server.breaks = [1_000_000, 500_000]
    assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT
    (_, second, third) = (begin for _, begin in server.asked)
    assert 900_000 < second <= 1_000_000
    assert second + 400_000 < third <= second + 500_000


def test_the_next_command_resumes(server: Served) -> None:
    server.breaks = [1_000_000, 0, 0]
    with refused(f"{server.url}/file.zip", "the same command goes on after"):
        fetched(f"{server.url}/file.zip")
    assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT
    assert server.asked[-1][1] > 900_000


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Served, tmp_path: Path) -> None:
    server.breaks = [1_000_000, 0, 0]
    with refused("file.zip"):
        fetched(f"{server.url}/file.zip")
    (tmp_path / "served" / "file.zip").write_bytes(CONTENT[::-1])
    server.etag = '"2"'
    assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[::-1]])
def test_a_file_damaged_in_the_cache_is_fetched_again(server: Served, change: object) -> None:
    path = fetched(f"{server.url}/file.zip")
    assert callable(change)
    path.write_bytes(change(CONTENT))
    assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT


def test_the_digest_that_a_url_asks_for(server: Served) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert fetched(f"{server.url}/file.zip#sha256={digest}").read_bytes() == CONTENT
    with refused(digest, "0" * 64):
        fetched(f"{server.url}/file.zip#sha256={'0' * 64}")


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_server_that_refuses(server: Served, status: int) -> None:
    server.status = status
    with refused(f"{server.url}/file.zip", str(status)):
        fetched(f"{server.url}/file.zip")


@pytest.mark.parametrize("name", ["..%2F..%2F..%2Fout.zip", "%2Ftmp%2Fout.zip", "x" * 300 + ".zip"])
def test_a_name_that_is_no_name_stays_in_the_cache(
    server: Served, tmp_path: Path, name: str
) -> None:
    (tmp_path / "served" / "out.zip").write_bytes(CONTENT)
    (tmp_path / "served" / f"{'x' * 200}.zip").write_bytes(CONTENT)
    if "x" in name:
        name = f"{'x' * 200}.zip"
    path = fetched(f"{server.url}/a/{name}")
    assert path.parent.parent == tmp_path / "cache" / "fetched"
    assert path.read_bytes() == CONTENT and path.suffix == ".zip"


@pytest.mark.parametrize(
    "url", ["http://[::1/x.zip", "http://a..b/x.zip", f"http://{'a' * 300}/x.zip", "http:///x.zip"]
)
def test_what_is_no_url(server: Served, url: str) -> None:
    with refused(url):
        fetched(url)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "many"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "x-gzip"},
        {"ETag": 'W/"1"'},
    ],
)
def test_headers_of_many_servers(server: Served, headers: dict[str, str]) -> None:
    server.headers = headers
    assert fetched(f"{server.url}/file.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", b" <!DOCTYPE html>Not found", b"PK\x03\x04 no archive"])
def test_an_answer_that_is_no_archive_is_not_kept(
    server: Served, tmp_path: Path, content: bytes
) -> None:
    archive = tmp_path / "served" / "model.zip"
    archive.write_bytes(content)
    with refused(f"{server.url}/model.zip"):
        read_weights(f"{server.url}/model.zip")
    weights = unmixed(OPTIONS)
    write_bilm(weights, tmp_path / "model")
    shutil.make_archive(str(archive.with_suffix("")), "zip", tmp_path / "model")
    assert read_weights(f"{server.url}/model.zip").digest == weights.digest


def test_a_page_in_place_of_options_is_passed_over(server: Served, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    write_bilm(unmixed(OPTIONS), folder)
    (folder / "weights.hdf5").rename(folder / "a_weights.hdf5")
    (folder / "a_options.json").write_text("<html>Not found</html>")
    digest = read_weights(f"{server.url}/a_weights.hdf5").digest
    assert digest == unmixed(OPTIONS).digest
    server.status = 500  # both are here by now
    assert read_weights(f"{server.url}/a_weights.hdf5").digest == digest


def test_no_server(server: Served) -> None:
    with refused("http://127.0.0.1:1/file.zip"):
        fetched("http://127.0.0.1:1/file.zip")


def test_a_cache_that_cannot_be_written(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMO_BEAM_CACHE", str(tmp_path / "served" / "file.zip" / "below"))
    with refused("ELMO_BEAM_CACHE", "file.zip"):
        fetched(f"{server.url}/file.zip")


@pytest.mark.parametrize("prefix", ["elmo_2x4_", ""])
def test_weights_come_with_their_options(server: Served, tmp_path: Path, prefix: str) -> None:
    folder = tmp_path / "served"
    weights = unmixed(OPTIONS)
    write_bilm(weights, folder)
    (folder / "options.json").rename(folder / f"{prefix}options.json")
    (folder / "weights.hdf5").rename(folder / "elmo_2x4_weights.hdf5")
    url = f"{server.url}/elmo_2x4_weights.hdf5"
    assert read_weights(url).digest == read_weights(url).digest == weights.digest
    asked = [path for path, _ in server.asked]
    assert sorted(asked) == sorted([f"/{prefix}options.json", "/elmo_2x4_weights.hdf5"])


def test_weights_without_options(server: Served, tmp_path: Path) -> None:
    (tmp_path / "served" / "a_weights.hdf5").write_bytes(b"")
    with refused("a_options.json", f"{server.url}/options.json"):
        read_weights(f"{server.url}/a_weights.hdf5")


def test_options_without_weights(server: Served, tmp_path: Path) -> None:
    (tmp_path / "served" / "options.json").write_text("{}")
    with refused(f"{server.url}/a_weights.hdf5", "404"):
        read_weights(f"{server.url}/a_weights.hdf5")
