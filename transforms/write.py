"""Embedded blocks to files, committed one by one."""

from __future__ import annotations

import hashlib
import json
import os

from elmo_beam.elmo.files.regular_files import sha256_of
from elmo_beam.transforms.accounts import (
    Accounts,
    accounts_path,
    part_path,
    read_accounts,
    rejects_path,
    write_accounts,
)
from elmo_beam.transforms.embed import EmbeddedBlock
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import delete, new_file, write_bytes
from elmo_beam.transforms.outputs.formats import output_format


def write_block(layout: Layout, settings: Settings, embedded: EmbeddedBlock) -> Accounts:
    """Commit a block: its rejects, then its part, then its accounts, each whole or not at all."""
    block, key = embedded.block, embedded.block.key
    earlier = read_accounts(layout, key.stem)
    if earlier is not None and not earlier.match(key, earlier.run):
        # They would vouch for what is written now, should the file become again what it was.
        delete(accounts_path(layout, key.stem))
    rejects_sha256 = _write_rejects(layout, embedded)
    size, sha256 = _write_part(layout, settings, embedded)
    accounts = Accounts(
        run=settings.fingerprint,
        pieces=tuple(block.counts),
        steps=embedded.steps,
        nodes=embedded.nodes,
        lookups=embedded.lookups,
        misses=embedded.misses,
        bytes=size,
        sha256=sha256,
        rejects_sha256=rejects_sha256,
    )
    write_accounts(layout, key.stem, accounts)
    return accounts


def _write_rejects(layout: Layout, embedded: EmbeddedBlock) -> str:
    """Write the rejects, if there are any; their sha256, or an empty string."""
    path = rejects_path(layout, embedded.block.key.stem)
    if not embedded.block.rejects:
        delete(path)  # of an earlier content of the same file
        return ""
    data = "".join(json.dumps(reject) + "\n" for reject in embedded.block.rejects).encode()
    write_bytes(layout.root, path, data)
    return hashlib.sha256(data).hexdigest()


def _write_part(layout: Layout, settings: Settings, embedded: EmbeddedBlock) -> tuple[int, str]:
    """Write the part; its bytes and their sha256."""
    chosen = output_format(settings.format)
    path = part_path(layout, settings, embedded.block.key.stem)
    with new_file(layout.root, path) as temporary:
        chosen.write(embedded.part, settings, temporary)
        return file_digest(temporary)


def file_digest(path: str) -> tuple[int, str]:
    """A local file's bytes and their sha256, hexadecimal."""
    return os.path.getsize(path), sha256_of(path)
