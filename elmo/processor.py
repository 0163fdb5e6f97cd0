"""What this machine's processor is."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor_flags() -> set[str]:
    """Its instruction sets, as Linux names them; empty where there is no Linux to ask."""
    return set(_values("flags").split())


def processor_name() -> str:
    """Its model, as Linux or Python name it."""
    return _values("model name") or platform.processor() or platform.machine()


def _values(field: str) -> str:
    """What Linux says of the first core."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in found if name.strip() == field), "")
