"""The precision of the LSTMs' matrix products: float32, or bfloat16 on processors that have it."""

from __future__ import annotations

import os
import platform

from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.processor import processor_flags

PRECISIONS = ("float32", "bfloat16")
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # as Linux names them
# Instruction sets that a user may limit oneDNN to; it aborts where a kernel is then missing.
LESSER_ISAS = {
    "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI",
}  # fmt: skip


def check_precision(precision: str) -> None:
    """Refuse a precision that this processor would have to emulate: slower than float32.

    Raises ArgumentError for an unknown one, UserError for one that is not to be had here.
    """
    if precision not in PRECISIONS:
        raise ArgumentError(f"`precision` {precision!r} must be one of {', '.join(PRECISIONS)}")
    if precision == "bfloat16" and (reason := why_not_bfloat16()):
        raise UserError(
            f"`precision` {precision} would be slower than float32 on {platform.node()} "
            f"({reason}): leave it out"
        )


def why_not_bfloat16() -> str | None:
    """Why products in bfloat16 would be emulated here; None if they would not."""
    if not INSTRUCTIONS & processor_flags():
        return f"no {' or '.join(sorted(INSTRUCTIONS))} on this processor"
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() in ("0", "false"):
        return "TF_ENABLE_ONEDNN_OPTS turns TensorFlow's kernels for it off"
    if (isa := _isa()) in LESSER_ISAS:
        return f"oneDNN is limited to {isa}"
    return None


def _isa() -> str:
    """The instruction set that the environment limits oneDNN to; the newer variable goes first."""
    names = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    return next((os.environ[name].upper() for name in names if os.environ.get(name)), "")
