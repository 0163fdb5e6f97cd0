"""The documentation site: built without a warning, whole, and independent of the network."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

if sys.version_info < (3, 11, 5):
    pytest.skip("MkDocs' extensions need Python 3.11.5", allow_module_level=True)

from mkdocs.commands.build import build
from mkdocs.config import load_config

import elmo_beam
from tests.helpers.command import ROOT

LOADED_BY = {"src", "srcset", "data", "poster"}  # attributes of any element


class Loads(HTMLParser):
    """What a page has the browser fetch, its links aside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value
            for name, value in attrs
            if value and (name in LOADED_BY or (name == "href" and tag in ("link", "use", "image")))
        ]


def remote(text: str, suffix: str) -> list[str]:
    """The addresses on the network that a page or a style sheet loads something from."""
    if suffix == ".css":
        loaded = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", text)
    else:
        loaded = Loads(text).found
    return [one for one in loaded if re.match(r"(?:[a-z]+:)?//", one, re.IGNORECASE)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strict build, which ends at any warning: a broken link, or a page that nothing leads to."""
    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    documents = [ROOT / f"{name}.md" for name in ("ARCHITECTURE", "CHANGELOG", "CONTRIBUTING")]
    for document in [*documents, *(ROOT / "docs").glob("*.md")]:
        page = site / document.relative_to(ROOT).with_suffix(".html")
        title = document.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert re.search(rf"<h1[^>]*>{re.escape(title)}<", page.read_text(encoding="utf-8")), page
    start = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="docs/formats.html#runs-of-words"' in start  # README's own link
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("name", elmo_beam.__all__)
def test_the_reference_has_every_public_name(site: Path, name: str) -> None:
    page = (site / "docs" / "site" / "api.html").read_text(encoding="utf-8")
    assert f'id="elmo_beam.{name}"' in page


def test_no_page_loads_anything_from_the_network(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 10
    found = {path.name: remote(path.read_text(encoding="utf-8"), path.suffix) for path in files}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ".html"),
        ('<link rel="stylesheet" href="//fonts.example/css">', ".html"),
        ('<img alt="" src="HTTP://example.org/a.png">', ".html"),
        ("@import 'https://fonts.example/css';", ".css"),
        ("a { background: url(//example.org/a.png) }", ".css"),
    ],
)
def test_the_check_sees_what_is_loaded(text: str, suffix: str) -> None:
    assert len(remote(text, suffix)) == 1


def test_the_check_accepts_links_and_own_files() -> None:
    assert remote('<a href="https://example.org"><img src="../a.png"></a>', ".html") == []
    assert remote("a { background: url('../a.png') url(data:image/png;base64,AA) }", ".css") == []
