"""Models behind Beam's filesystems, copied into the cache of models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.files.archives import is_archive, is_known
from elmo_beam.elmo.files.cache import cached
from elmo_beam.elmo.formats.registry import WEIGHTS
from elmo_beam.transforms.files.remote import download, is_remote, remote


def local_handle(handle: str) -> str:
    """A handle that the model's floor can open: of a model on an object store, its copy.

    Files are fetched once for each state of the store, known by their names, sizes and times.
    Other handles come back as they are. Raises UserError.
    """
    if not is_remote(handle) or handle.partition("://")[0].lower() in ("http", "https", "file"):
        return handle
    url = handle.rstrip("/")
    folder, _, name = url.rpartition("/")
    single = is_archive(name)
    if not single and not name.lower().endswith(WEIGHTS):
        folder, name = url, ""
    files = {
        path.removeprefix(f"{folder}/"): state
        for path, state in _listed(handle, url if single else f"{folder}/**").items()
    }
    files = {own: state for own, state in files.items() if single or is_known(own)}
    if not files or (name and name not in files):
        raise UserError(f"no model {handle}: there is no such file or folder")
    if name and not single:  # of several models in one folder, the one that is asked for
        files = {o: s for o, s in files.items() if o == name or not o.lower().endswith(WEIGHTS)}

    def fill(empty: Path) -> None:
        for own in files:
            path = empty / own
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                download(f"{folder}/{own}", file)

    state = json.dumps([folder, sorted(files.items())])
    place = cached(f"stores/{hashlib.sha256(state.encode()).hexdigest()}", fill)
    return str(place / name)


def _listed(handle: str, pattern: str) -> dict[str, tuple[int, float]]:
    """The size and time of each file of a handle's store that a pattern matches."""

    def match(store: Any) -> dict[str, tuple[int, float]]:
        (result,) = store.match([pattern])
        return {
            found.path: (found.size_in_bytes, found.last_updated_in_seconds)
            for found in result.metadata_list
        }

    return remote(handle, match)
