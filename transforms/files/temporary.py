"""The folder for temporary files, which may be full, read-only or absent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from elmo_beam.elmo.errors import UserError, cause_of, memory_error, writing_remedy


@contextmanager
def temporary_errors_explained() -> Iterator[None]:
    """UserError, with the folder and the cause, if temporary files cannot be made or written."""
    try:
        yield
    except OSError as error:
        if memory_error(error):
            raise
        folder = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")
        remedy = writing_remedy(error, "free some space, or name another folder in TMPDIR")
        raise UserError(
            f"cannot write temporary files in {folder} ({cause_of(error)}): {remedy}"
        ) from None
