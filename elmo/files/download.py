"""Models at a URL, fetched into the cache once: resumed where a try broke off, checked by size.

A URL may end in `#sha256=…`; then what comes must have that digest. What is in the cache is checked
against the digest that it had as it came.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError, LocationParseError, NameResolutionError

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.cache import cache_folder, cannot_write, locked
from elmo_beam.elmo.files.regular_files import sha256_of
from elmo_beam.elmo.wording import listed

WAITS = (1.0, 3.0, 9.0)  # seconds before each further try
TIMEOUT = (20, 60)  # seconds: to connect, and between two reads
CHUNK = 1 << 16  # bytes; of one that breaks off nothing is kept
LONGEST_NAME = 100  # of a file in the cache
MISSING = (403, 404, 410)  # answers of a server that has no such file; S3 says 403
FAILED = (requests.RequestException, HTTPError)
LASTING = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.SSLError,
    requests.exceptions.TooManyRedirects,
    LocationParseError,
    NameResolutionError,
)
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


class _Missing(UserError):
    """There is no such file at a URL."""


def fetched_weights(url: str) -> Path:
    """The file of weights at a URL, with the options that are beside it; UserError without them."""
    plain = urldefrag(url)[0]
    folder, _, name = plain.rpartition("/")
    prefix = name.rpartition(".")[0].removesuffix("weights")
    tried = list(dict.fromkeys(f"{folder}/{own}options.json" for own in (prefix, "")))
    # Options that are here need no look for better ones.
    for options in sorted(tried, key=lambda own: not _cache_path(own).exists()):
        try:
            fetched(options)
        except _Missing:
            continue
        return fetched(url)
    raise UserError(
        f"cannot fetch the options of {plain}: there is no {listed(tried)}; fetch both files "
        "yourself into one folder, and give that"
    )


def fetched(url: str) -> Path:
    """The file at a URL; UserError if it cannot be had."""
    url, fragment = urldefrag(url)
    path = _cache_path(url)
    with locked(path.parent, path.name):
        if not _is_as_it_came(path):
            try:
                _fetch(url, path)
            except OSError as error:  # of the disk: those of the network are UserErrors by now
                raise cannot_write(error) from None
        digest = _record(path)["sha256"]
        wanted = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else digest
        if wanted.lower() != digest:
            path.unlink()
            raise UserError(f"{url} has sha256 {digest}, not {wanted}: it is another file")
        return path


def _cache_path(url: str) -> Path:
    """Files of one folder of a server come into one folder, so that a model's are side by side."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url} is not a URL ({cause_of(error)}): check it") from None
    folder, _, name = parts.path.rpartition("/")
    place = hashlib.sha256(f"{parts.scheme}://{parts.netloc}{folder}?{parts.query}".encode())
    plain = quote(unquote(name), safe="")[-LONGEST_NAME:]
    return cache_folder() / "fetched" / place.hexdigest() / plain


def _record(path: Path) -> dict[str, Any]:
    """What is known of a file that was fetched, or is about to be; empty if nothing is."""
    try:
        found = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_as_it_came(path: Path) -> bool:
    known = _record(path)
    same_size = path.exists() and path.stat().st_size == known.get("size")
    return same_size and sha256_of(path) == known.get("sha256")


def _fetch(url: str, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    for wait in (*WAITS, None):
        try:
            _fetch_on(url, partial)
            break
        except FAILED as error:
            reason = _reason(error)
            if wait is None or isinstance(error, LASTING) or isinstance(reason, LASTING):
                have = partial.stat().st_size if partial.exists() else 0
                then = f"the same command goes on after the {have:,} bytes that are here"
                raise UserError(
                    f"cannot fetch {url} ({_plain(reason)}): {then if have else 'check the URL'}"
                ) from None
            time.sleep(wait)
    if why := _not_as_named(partial, path.name):
        partial.unlink()
        # Pages that say "not found" often come as if they had been found.
        raise _Missing(f"cannot fetch {url}: what the server gives is {why}; check the URL")
    record = {"size": partial.stat().st_size, "sha256": sha256_of(partial)}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record), "utf-8")
    partial.rename(path)


def _reason(error: BaseException) -> BaseException:
    """What is at the root of an error of requests, which wraps those of urllib3."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return _reason(inner) if isinstance(inner, BaseException) else error


def _plain(reason: BaseException) -> str:
    """An error's words without the objects that urllib3 names in front of them."""
    return re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", cause_of(reason))


def _not_as_named(path: Path, name: str) -> str | None:
    """What a file is if it is not what its name says, as far as its beginning shows."""
    with path.open("rb") as file:
        head = file.read(512)
    if name.lower().endswith((".hdf5", ".h5")):
        return None if head.startswith(HDF5_MAGIC) else "not HDF5"
    if name.lower().endswith(".json"):
        return None if head.lstrip().startswith(b"{") else "not JSON"
    return "a page of text" if head.lstrip().startswith(b"<") or not head else None


def _fetch_on(url: str, partial: Path) -> None:
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
        if answer.status_code not in (200, 206):
            raise requests.RequestException(f"the server answers {answer.status_code}")
        if answer.status_code != 206:
            have = 0
        version = answer.headers.get("ETag", "")
        if version.startswith("W/") or not version:
            version = answer.headers.get("Last-Modified")
        partial.with_name(f"{partial.name}.json").write_text(json.dumps({"version": version}))
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        bar = tqdm(
            total=total, initial=have, unit="B", unit_scale=True, desc=partial.stem, disable=None
        )
        with bar, partial.open("r+b" if have else "wb") as file:
            file.seek(have)
            # As they are sent: what a server calls gzip is often the archive itself.
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
        if total is not None and have != total:
            raise requests.RequestException(f"{have:,} of {total:,} bytes came")
