"""Paths as people write them: file URLs and the home folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_beam.elmo.arguments import path_text, plain_path
from elmo_beam.elmo.errors import ArgumentError
from tests.helpers.refusal import refused


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("file:///a/b.txt", "/a/b.txt"),
        ("file://localhost/a/b.txt", "/a/b.txt"),
        ("FILE://LocalHost/a/b", "/a/b"),
        ("file:///a%20b/%C3%A9/100%25.txt", "/a b/é/100%.txt"),
        ("file:///a/*.txt?", "/a/*.txt?"),
        ("file:///a/caf%E9", "/a/caf\udce9"),
        ("~", "HOME"),
        ("~/a/*.txt", "HOME/a/*.txt"),
        ("~nobody_of_that_name/a", "~nobody_of_that_name/a"),
        ("~draft.txt", "~draft.txt"),
        ("a/~/b", "a/~/b"),
        ("a%20b", "a%20b"),
        ("file:a", "file:a"),
        ("gs://bucket/~/%20", "gs://bucket/~/%20"),
        ("https://tfhub.dev/google/elmo/3", "https://tfhub.dev/google/elmo/3"),
        ("default", "default"),
    ],
)
def test_a_path_is_what_it_means(
    given_: str, meant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert plain_path(given_) == meant.replace("HOME", str(tmp_path))
    assert path_text("output", given_) == plain_path(given_)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_path_has_a_url(name: str) -> None:
    path = Path("/folder") / name
    assert plain_path(path.as_uri()) == os.fspath(path)


@pytest.mark.parametrize(
    "url", ["file://server/share/a.txt", "file://a.txt", "file://", "file://~"]
)
def test_the_url_of_another_machine_is_refused(url: str) -> None:
    with refused("`inputs`", url, "file:///", kind=ArgumentError):
        path_text("inputs", url)
