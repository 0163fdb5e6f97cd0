"""A hidden folder beside a file that is being made, for what leads to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.lock import held, refuse_held

PREFIX = ".elmo-beam-"
LEFT = f"{PREFIX}{'?' * 8}"  # as tempfile names them


@contextmanager
def work_folder(output: str) -> Iterator[Path]:
    """A new folder beside `output`, an absolute path, held by this process and removed at the end.

    Folders that killed processes have left there are removed first. UserError if there can be none.
    """
    beside = os.path.dirname(output)
    if not os.path.isdir(beside) or os.path.isdir(output):
        raise UserError(f"cannot write {output}: name a file in a folder that exists")
    with contextlib.ExitStack() as stack:
        with _alone(beside):
            for left in Path(beside).glob(LEFT):
                with contextlib.suppress(UserError, OSError):  # in use, or another user's
                    refuse_held(str(left))
                    remove(left)
            try:
                work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
            except OSError as error:
                raise UserError(
                    f"cannot write {output} ({error.strerror}): name a file in a folder that you "
                    "may write to"
                ) from None
            stack.callback(remove, work)
            stack.enter_context(held(str(work), lambda _: None))
        yield work


def remove(folder: Path) -> None:
    """Delete a folder that a thread may still be writing to."""
    for _ in range(100):  # no more than that: it may be impossible
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Only one process at a time, so that none removes what another has made but not locked yet."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a filesystem may know no locks on folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
