"""What the LSTMs' matrix products are taken in: float32, or bfloat16 where a processor has it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from elmo.errors import UserError

PRECISIONS = ("float32", "bfloat16")
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # as Linux names them
# What oneDNN may be held to by a user; it ends the process where a kernel then is missing.
LESSER_ISAS = {
    "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI",
}  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")


def check_precision(precision: str) -> None:
    """UserError where a precision would be slower here than float32: it is emulated then."""
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
    if precision == "float32":
        return
    reason = None
    if not INSTRUCTIONS & _processor_flags():
        reason = f"no {' or '.join(sorted(INSTRUCTIONS))} on this processor"
    elif os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() in ("0", "false"):
        reason = "TF_ENABLE_ONEDNN_OPTS takes TensorFlow's kernels for it away"
    elif (isa := _isa()) in LESSER_ISAS:
        reason = f"oneDNN is held to {isa}"
    if reason:
        raise UserError(
            f"--precision {precision} would be slower than float32 on {platform.node()} "
            f"({reason}): leave it out"
        )


def _isa() -> str:
    """What the environment holds oneDNN to, by the newer of its two names first."""
    names = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    return next((os.environ[name].upper() for name in names if os.environ.get(name)), "")


def _processor_flags() -> set[str]:
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: nothing is known
        return set()
    return {word for line in lines if line.startswith("flags") for word in line.split()}
