"""Arrays of an HDF5 file that may come from anywhere.

HDF5 can take a dataset's content from any other file (external links and storage, virtual datasets)
and declare one much larger than the file. Here a dataset counts only if its data are in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import check_regular

OWN_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
FILTERS = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_LZF,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
}
MOST_COMPRESSED = 1100  # times: deflate's limit is 1032
MOST_CHUNK = 1 << 20  # bytes of a chunk that is larger than its dataset: the most that h5py guesses


@contextmanager
def plain_datasets(path: Path, names: Iterable[str]) -> Iterator[dict[str, h5py.Dataset]]:
    """Those of `names` that the file has, open, not yet read.

    Raises UserError if one of them is not a plain dataset of floats, and for what goes wrong inside
    the block: of a damaged file h5py raises anything.
    """
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            found = {name: _plain_dataset(file, name, path) for name in names}
            yield {name: dataset for name, dataset in found.items() if dataset is not None}
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"cannot read {path} ({cause_of(error)}): fetch the file again") from None


def _plain_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset | None:
    """Follows one link at a time, and opens nothing behind a link that may lead elsewhere."""
    here = file
    for part in name.split("/"):
        link = here.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise UserError(
                f"{path}: {name} is not a plain dataset but a link: fetch the file again"
            )
        here = here[part]
    if why := _not_plain(here):
        raise UserError(f"{path}: {name} is not a plain dataset ({why}): fetch the file again")
    return here


def _not_plain(found: h5py.Dataset | h5py.Group) -> str | None:
    """What a dataset has that weights have not. Looks at its description only."""
    if not isinstance(found, h5py.Dataset):
        return "a group"
    plan = found.id.get_create_plist()
    if plan.get_layout() not in OWN_LAYOUTS or plan.get_external_count():
        return "its data are in other files"
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if len(set(filters)) < len(filters) or not FILTERS.issuperset(filters):
        return "compressed otherwise than by gzip or lzf"
    if found.dtype.kind != "f":
        return f"of {found.dtype}, not of floats"
    if found.shape is None:
        return "empty"
    held = found.id.get_storage_size() * (MOST_COMPRESSED if filters else 1)
    chunk = math.prod(found.chunks or ()) * found.dtype.itemsize  # is read as a whole
    if chunk > max(found.nbytes, MOST_CHUNK):
        return f"it has {found.nbytes:,} bytes, its chunk {chunk:,}"
    if max(found.nbytes, chunk) > held:
        return f"it declares {found.nbytes:,} bytes, which the file does not hold"
    return None
