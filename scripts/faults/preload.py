"""What can fail, where, and how: faults as data, and the shared library that makes them happen."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path

SOURCE = Path(__file__).with_name("preload.c")
CHANGES = "create update write sync truncate rename remove make close"
# The kinds of operation that an error may hit: what Linux's file systems do.
KINDS = {
    "ENOSPC": "create write sync truncate rename make close",
    "EDQUOT": "create write sync truncate rename make close",
    "EROFS": "create update write sync truncate rename remove make",
    "EMFILE": "create update open list",
    "EIO": f"{CHANGES} open read list look",
}
KILL = "KILL"
RANDOM_NAMES = {
    r"[0-9a-f]{32}": "*",  # uuid.uuid4
    r"-[0-9a-f]{8}(?=[-.])": "-*",  # of a shard's path
    r"(?<= tmp/).+": "*",
    r"(?<=\.elmo-beam-)\w{8}": "*",  # tempfile.mkdtemp
}


@dataclass(frozen=True)
class Fault:
    """At the nth operation (from 1) that matches `label`, an error, or the end of the process.

    label: `write out/.tmp/.*`, the kind and the path below the watched folder, with * for what is
    random. error: a name in KINDS, or KILL. lasting: whether everything after it fails that can.
    """

    label: str
    nth: int
    error: str
    lasting: bool = False

    def __str__(self) -> str:
        error = f"{self.error}+" if self.lasting else self.error
        return f"{error} {self.nth} {self.label}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that `str` gave; ValueError if the text is none."""
        error, nth, label = text.split(" ", 2)
        if error.removesuffix("+") not in (KILL, *KINDS):
            raise ValueError(f"no error {error}")
        return cls(label, int(nth), error.removesuffix("+"), error.endswith("+"))


def no_compiler() -> str | None:
    """Why the library cannot be built here, None if it can."""
    if os.uname().sysname != "Linux" or not os.confstr("CS_GNU_LIBC_VERSION"):
        return "it interposes the functions of Linux's glibc"
    return None if shutil.which("cc") else "there is no C compiler, cc"


def build(folder: Path) -> Path:
    """Compile the library; its path."""
    library = folder / "preload.so"
    files = ["-o", str(library), str(SOURCE)]
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", *files, "-ldl", "-lpthread"], check=True)
    return library


def arm(folder: Path, journal: int, fault: Fault | None) -> None:
    """From now on this process journals every operation below the folder, and meets the fault."""
    library = ctypes.CDLL(None)
    library.faults_arm.argtypes = (
        ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_char_p
    )  # fmt: skip
    label, nth, number, kinds = b"", 0, 0, ""
    if fault:
        label, nth = fault.label.encode(), fault.nth
        if fault.error != KILL:
            number = getattr(errno, fault.error)
        if fault.lasting:
            kinds = f" {KINDS[fault.error]} "
    library.faults_arm(bytes(folder), journal, label, nth, number, kinds.encode())


def generalized(label: str) -> str:
    """A label with * for what is random in it."""
    for pattern, replacement in RANDOM_NAMES.items():
        label = re.sub(pattern, replacement, label)
    return label


def sample(labels: Sequence[str], points: int, rng: random.Random) -> list[Fault]:
    """So many of the faults that a run may meet whose operations had these labels.

    Every generalized label has its turn before one comes again: a run reads its model in a hundred
    operations, and renames each of its files in one.
    """
    groups = [list(_faults(label, labels)) for label in sorted(set(map(generalized, labels)))]
    for group in groups:
        rng.shuffle(group)
    rng.shuffle(groups)
    rounds = (fault for turn in zip_longest(*groups) for fault in turn if fault is not None)
    return [fault for fault, _ in zip(rounds, range(points), strict=False)]


def _faults(label: str, labels: Sequence[str]) -> Iterator[Fault]:
    kind = label.split()[0]
    for nth in range(1, 1 + sum(fnmatchcase(found, label) for found in labels)):
        yield Fault(label, nth, KILL)
        for error, kinds in KINDS.items():
            if kind in kinds.split():
                yield from (Fault(label, nth, error, lasting) for lasting in (False, True))
