"""Models at a URL, fetched into the cache once: resumed where a try broke off, checked by size.

A URL may end in `#sha256=…`; then what comes must have that digest. What is in the cache is checked
against the digest that it had as it came.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

import requests
from tqdm import tqdm

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.formats.cache import cache_folder, cannot_write, locked, sha256_of
from elmo_beam.elmo.wording import listed

WAITS = (1.0, 4.0, 15.0, 60.0)  # seconds before each further try
TIMEOUT = (20, 60)  # seconds: to connect, and between two reads
CHUNK = 1 << 16  # bytes; of one that breaks off nothing is kept
MISSING = (403, 404, 410)  # answers of a server that has no such file; S3 says 403


class _Missing(UserError):
    """There is no such file at a URL."""


def fetched(url: str) -> Path:
    """The file at a URL; UserError if it cannot be had."""
    url, fragment = urldefrag(url)
    path = _cache_path(url)
    with locked(path.parent, path.name):
        known = _record(path)
        sizes = path.exists() and (path.stat().st_size, known.get("size"))
        if sizes and sizes[0] == sizes[1] and sha256_of(path) == known["sha256"]:
            return _as_asked(path, known["sha256"], fragment, url)
        try:
            _fetch(url, path)
        except OSError as error:  # of the disk: those of the network are UserErrors by now
            raise cannot_write(error) from None
        return _as_asked(path, _record(path)["sha256"], fragment, url)


def fetched_weights(url: str) -> Path:
    """The file of weights at a URL, with the options that are beside it; UserError without them."""
    plain = urldefrag(url)[0]
    folder, _, name = plain.rpartition("/")
    prefix = name.rpartition(".")[0].removesuffix("weights")
    tried = list(dict.fromkeys(f"{folder}/{own}options.json" for own in (prefix, "")))
    for options in tried:
        try:
            fetched(options)
        except _Missing:
            continue
        return fetched(url)
    raise UserError(
        f"cannot fetch the options of {plain}: there is no {listed(tried)}; fetch both files "
        "yourself into one folder, and give that"
    )


def _cache_path(url: str) -> Path:
    """Files of one folder of a server come into one folder, so that a model's are side by side."""
    parts = urlsplit(url)
    folder, _, name = parts.path.rpartition("/")
    place = hashlib.sha256(f"{parts.scheme}://{parts.netloc}{folder}?{parts.query}".encode())
    return cache_folder() / "fetched" / place.hexdigest() / (quote(unquote(name)) or "file")


def _record(path: Path) -> dict[str, Any]:
    """What is known of a file that was fetched, or is about to be; empty if nothing is."""
    try:
        found = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _as_asked(path: Path, digest: str, fragment: str, url: str) -> Path:
    wanted = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else digest
    if wanted.lower() == digest:
        return path
    path.unlink()
    raise UserError(f"{url} has sha256 {digest}, not {wanted}: it is not the file that you expect")


def _fetch(url: str, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    for wait in (*WAITS, None):
        try:
            _fetch_on(url, partial, path)
            break
        except requests.RequestException as error:
            if wait is None or isinstance(error, requests.exceptions.InvalidURL):
                have = partial.stat().st_size if partial.exists() else 0
                raise UserError(
                    f"cannot fetch {url} ({cause_of(error)}): the same command goes on after the "
                    f"{have:,} bytes that are here"
                ) from None
            time.sleep(wait)
    record = {"size": partial.stat().st_size, "sha256": sha256_of(partial)}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record), "utf-8")
    partial.rename(path)


def _fetch_on(url: str, partial: Path, path: Path) -> None:
    """Fetch what is missing of a file; RequestException if it breaks off."""
    have = partial.stat().st_size if partial.exists() else 0
    version = _record(partial).get("version")  # of the file that a part is of
    headers = {"Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # what is here is not a part of what is there
            partial.unlink(missing_ok=True)
            raise requests.RequestException("the server has another file by now")
        if answer.status_code in MISSING:
            raise _Missing(
                f"cannot fetch {url}: the server answers {answer.status_code} "
                f"({answer.reason}); check the URL"
            )
        answer.raise_for_status()
        if answer.status_code != 206:
            have = 0
        version = answer.headers.get("ETag", "")
        if version.startswith("W/") or not version:
            version = answer.headers.get("Last-Modified")
        partial.with_name(f"{partial.name}.json").write_text(json.dumps({"version": version}))
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        bar = tqdm(
            total=total, initial=have, unit="B", unit_scale=True, desc=path.name, disable=None
        )
        with bar, partial.open("r+b" if have else "wb") as file:
            file.seek(have)
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
        if total is not None and have != total:
            raise requests.RequestException(f"{have:,} of {total:,} bytes came")
