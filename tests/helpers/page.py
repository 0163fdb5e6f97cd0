"""A report's page as tests read it: as HTML, and as a browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import Job, elmo_beam

VOID = {"meta", "rect", "circle", "line", "wbr", "input"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Reads a page, and fails if tags do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.open: list[str] = []
        self.said: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(source)
        assert self.open == []

    @property
    def text(self) -> str:
        """What a page says, with single spaces; but for the time at which it was made."""
        return re.sub(r"\s+", " ", "".join(self.said))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v for n, v in attrs if n.split(":")[-1] in ("src", "href") and v is not None]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
        if tag not in ("wbr", "mark", "code", "b", "a", "span", "text"):
            self.said.append(" ")

    def handle_data(self, data: str) -> None:
        if not {"style", "script", "time"} & set(self.open):
            self.said.append(data)


def page_of(job: Job) -> Page:
    """The page that `report` writes of a run."""
    ran = elmo_beam("report", job.out).succeeds()
    path = job.out / "report.html"
    assert ran.out.strip() == str(path)
    return Page(path.read_text(encoding="utf-8"))


def in_browser(
    page: Path, probe: str, width: int = 900, dark: bool = False, scripts: bool = True
) -> Any:
    """What a script that probes a page, shown so many pixels wide, returns; skips without Chromium.

    probe: the body of a JavaScript function of the page's `document` and `window`. scripts: whether
    the page's own run.
    """
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    outer = page.with_name("probe.html")
    sandbox = "" if scripts else 'sandbox="allow-same-origin"'
    outer.write_text(
        # A frame, since a window cannot be as narrow as a phone's.
        f'<iframe id="shown" {sandbox} src="{page.name}" style="width:{width}px;height:900px">'
        "</iframe>"
        '<pre id="answer"></pre><script>addEventListener("load", () => {'
        'const window = document.getElementById("shown").contentWindow;'
        f"const answer = ((window, document) => {{{probe}}})(window, window.document);"
        'document.getElementById("answer").textContent = JSON.stringify(answer);});</script>'
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    flags += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=3000"]
    flags += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    try:
        ran = subprocess.run(
            [CHROMIUM, *flags, "--dump-dom", outer.as_uri()], capture_output=True, timeout=100
        )
    finally:
        outer.unlink()
        shutil.rmtree(page.parent / "profile", ignore_errors=True)
    found = re.search(r'<pre id="answer">(.*?)</pre>', ran.stdout.decode(), re.DOTALL)
    assert found, ran.stderr.decode()[-2000:]
    return json.loads(unescape(found[1]))
