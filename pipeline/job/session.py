"""What one command did of a run, for its figures."""

from __future__ import annotations

import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

KILOBYTE = 1 if sys.platform == "darwin" else 1024  # the unit in which the system counts memory


@dataclass(frozen=True)
class Session:
    """The figures of one command's work.

    seconds: in all. tokens: embedded. start_up: seconds before the first of them, with planning and
    loading the model, if known. model_load: seconds to load a model, if known. peak_memory: bytes,
    of the largest process of this machine; 0 if the work was done elsewhere.
    """

    seconds: float = 0.0
    tokens: int = 0
    start_up: float | None = None
    model_load: float | None = None
    peak_memory: int = 0


def peak_memory() -> int:
    """Bytes, of this process or of its largest child."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(w).ru_maxrss * KILOBYTE for w in who)
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux a process inherits the peak of the one that started it; VmHWM is its own.
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        own = int(found[1]) * KILOBYTE if found else own
    return max(own, child)
