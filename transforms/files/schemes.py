"""URLs that no filesystem of Beam's knows, and what to do about each."""

from __future__ import annotations

import re
import shlex

from elmo_beam.elmo.errors import UserError

SCHEME = re.compile("([a-zA-Z][-a-zA-Z0-9+.]*)://")
OPTIONAL = ("gs", "s3")  # known once their extra is installed, which Beam's own error says
HUGGING_FACE = re.compile("hf://(datasets/|spaces/)?([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


def check_known(path: str, schemes: set[str]) -> None:
    """UserError for a URL to read whose scheme is none of these, with a way that works."""
    if _is_known(path, schemes):
        return
    scheme = path.partition("://")[0]
    command = None
    if scheme.lower() in ("http", "https", "ftp"):
        command = f"curl -LO {shlex.quote(path)}"
    elif found := HUGGING_FACE.fullmatch(path):
        command = _hf_download(*found.groups())
    if command:
        remedy = f"fetch it first, as with: {command}, and name the copy"
    else:
        remedy = f"use a local path, or a URL of {_listed(schemes)}"
    raise UserError(f"cannot reach {path} (no filesystem of Beam's is for {scheme}://): {remedy}")


def check_output_known(output: str, schemes: set[str]) -> None:
    """UserError for a folder to write to whose scheme is none of these."""
    if not _is_known(output, schemes):
        raise UserError(
            f"`output` {output} cannot be written to: use a local folder, or a URL of "
            f"{_listed(schemes)}"
        )


def _is_known(path: str, schemes: set[str]) -> bool:
    found = SCHEME.match(path)
    return found is None or found[1] in schemes or found[1] in OPTIONAL


def _listed(schemes: set[str]) -> str:
    return ", ".join(f"{scheme}://" for scheme in sorted(schemes.union(OPTIONAL)))


def _hf_download(kind: str | None, repository: str, revision: str | None, file: str) -> str:
    """Hugging Face's own command for a file, or for all that a pattern matches."""
    words = ["hf", "download", repository]
    words += ["--include", file] if re.search(r"[*?\[]", file) else [file]
    if kind:
        words += ["--repo-type", kind.rstrip("s/")]
    if revision:
        words += ["--revision", revision]
    return shlex.join([*words, "--local-dir", "DIR"])
