"""bfloat16 products: near float32, the refused on processors where they are slower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from elmo_beam.elmo import processor
from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.encoder.precision import check_precision
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.formats.handles import load_sentence_encoder, read_weights
from elmo_beam.elmo.model.outputs import output_names
from tests.elmo.test_encoder import SHAPES
from tests.helpers.oracle import Oracle, random_weights
from tests.helpers.refusal import refused

LINES = (
    "The bank of the river .",
    "The bank will lend the money .",
    "",
    "Rain , rain and wind , all through the long night on the moor .",
)
TEXT = [line.split() for line in LINES]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_output_is_within_one_hundredth_of_the_oracle(shape: str) -> None:
    """Emulated where the processor lacks it, the arithmetic is the same."""
    weights = random_weights(SHAPES[shape], seed=5)
    found = Encoder(weights, precision="bfloat16").encode(TEXT, output_names(weights.options))
    oracle = [Oracle(weights).encode(tokens) for tokens in TEXT if tokens]
    for name, vectors in found.items():
        rows = [np.atleast_2d(one[name]) for one in oracle]
        want = np.concatenate(rows)
        got = vectors[[0, 1, 3]] if name == "default" else vectors
        assert np.linalg.norm(got - want) <= 0.01 * np.linalg.norm(want), name


def errors_of_the_default_model(text: list[list[str]]) -> dict[str, float]:
    """For each output, the norm of the difference from float32 ÷ the norm."""
    weights = read_weights("default")
    names = output_names(weights.options)
    exact = Encoder(weights).encode(text, names)
    rounded = Encoder(weights, precision="bfloat16").encode(text, names)
    return {
        name: float(np.linalg.norm(rounded[name] - exact[name]) / np.linalg.norm(exact[name]))
        for name in names
    }


def test_the_default_model_is_within_one_hundredth_of_float32() -> None:
    for name, error in errors_of_the_default_model(TEXT).items():
        assert error <= 0.01, name
        assert (error > 1e-5) == (name != "word_emb"), "token vectors stay float32, LSTMs do not"


def emulated() -> bool:
    """Whether bfloat16 is refused here: the kernels that stand in for it round differently."""
    try:
        check_precision("bfloat16")
    except UserError:
        return True
    return False


@pytest.mark.skipif(emulated(), reason="this processor has no products in bfloat16")
@pytest.mark.parametrize(("word", "times"), [("very", 50), ("ha", 200), ("1", 400), (".", 1000)])
def test_a_word_over_and_over_stays_within_one_hundredth_too(word: str, times: int) -> None:
    """Forget gates near 1 matter there: rounded, cells would keep everything or decay too soon."""
    for name, error in errors_of_the_default_model([[word] * times]).items():
        assert error <= 0.01, name


@pytest.mark.parametrize(
    ("flags", "environment", "reason"),
    [
        ("fpu avx2 avx512f", {}, "no amx_bf16 or avx512_bf16"),
        (None, {}, "no amx_bf16 or avx512_bf16"),
        ("fpu avx512_bf16", {"TF_ENABLE_ONEDNN_OPTS": "0"}, "TF_ENABLE_ONEDNN_OPTS"),
        ("fpu avx512_bf16", {"TF_ENABLE_ONEDNN_OPTS": "False"}, "TF_ENABLE_ONEDNN_OPTS"),
        ("fpu avx512_bf16", {"ONEDNN_MAX_CPU_ISA": "avx2"}, "limited to AVX2"),
        ("fpu amx_bf16", {"DNNL_MAX_CPU_ISA": "AVX512_CORE"}, "limited to AVX512_CORE"),
    ],
)
def test_it_is_refused_where_it_would_be_slower(
    flags: str | None,
    environment: dict[str, str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t: {flags}\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with refused("bfloat16", "slower", reason, "leave it out"):
        load_sentence_encoder("default", "native", 1 << 20, precision="bfloat16")
    check_precision("float32")


def test_it_is_taken_where_the_processor_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    (tmp_path / "cpuinfo").write_text("flags\t: fpu amx_bf16\nflags\t: fpu amx_bf16\n")
    check_precision("bfloat16")


def test_another_one_is_refused() -> None:
    with pytest.raises(ArgumentError, match="'float16' must be one of float32, bfloat16"):
        check_precision("float16")
