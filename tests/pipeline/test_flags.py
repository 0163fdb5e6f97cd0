"""Wrong flags: exit 2, one line with the value and the remedy, and at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from elmo_beam import __version__
from tests.helpers.command import ROOT, Job, elmo_beam

BASE = ["embed", "--input", "a.txt", "--output", "out"]
MISTYPED = {
    "--ouput": ("embed", "--input", "a.txt", "--ouput", "out"),
    "--inptu": ("embed", "--inptu=a.txt", "--output", "out"),
    "--spilt_sentences": (*BASE, "--spilt_sentences"),
    "--runer": (*BASE, "--runer", "DirectRunner"),
    "--direct_num_worker": (*BASE, "--direct_num_worker=2"),
    "--max_token": (*BASE, "--max-token", "9"),
    "--wrod": ("inspect", "out", "--wrod", "bank"),
}
MEANT = {
    "--ouput": "--output",
    "--inptu": "--input",
    "--spilt_sentences": "--split_sentences",
    "--runer": "--runner",
    "--direct_num_worker": "--direct_num_workers",
    "--max_token": "--max_tokens",
    "--wrod": "--word",
}
ABBREVIATED = ("--out", "--inp", "--mod", "--block", "--split", "--runne", "--direct_num")
WRONG_VALUES = {
    "--max_tokens": ("0", "-1", "many", "1.5", ""),
    "--block_size": ("0", "-1", "large", "1e3", "256x"),
    "--memory": ("0", "much"),
    "--outputs": ("elmoo", "", ",", "lstm_outputs0", "elmo,bert"),
    "--format": ("csv", "Parquet"),
    "--dtype": ("float64", "bfloat16"),
    "--normalize": ("nfkc",),
    "--tokenizer": ("spacy",),
    "--long_sentences": ("drop",),
    "--encoder": ("tpu",),
    "--precision": ("float16",),
    "--pad_to": ("0", "-3", "x"),
    "--language": ("xx", "english"),
    "--direct_num_workers": ("two",),
    "--direct_running_mode": ("fast",),
}
WRONG = [(flag, value) for flag, values in WRONG_VALUES.items() for value in values]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one text in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("One bank.\n")
    return tmp_path


def untouched(folder: Path) -> bool:
    """Whether nothing was written."""
    return [path.name for path in folder.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("flag", MISTYPED)
def test_a_mistyped_flag_is_refused_with_the_nearest_name(elsewhere: Path, flag: str) -> None:
    elmo_beam(*MISTYPED[flag]).refuses(flag, MEANT[flag], code=2)
    assert untouched(elsewhere)


@pytest.mark.parametrize("flag", ABBREVIATED)
def test_no_flag_may_be_abbreviated(elsewhere: Path, flag: str) -> None:
    elmo_beam(*BASE, flag, "2").refuses(f"{flag}", code=2)
    elmo_beam(*BASE, f"{flag}=2").refuses(f"{flag}", code=2)
    assert untouched(elsewhere)


@pytest.mark.parametrize(("flag", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name(elsewhere: Path, flag: str, value: str) -> None:
    elmo_beam(*BASE, f"{flag}={value}").refuses(flag, value.split(",")[-1], code=2)
    assert untouched(elsewhere)


def test_a_language_without_a_tokenizer_is_refused_with_those_that_have_one() -> None:
    elmo_beam(*BASE, "--language", "xx").refuses("xx", " de,", " en,", code=2)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--pad_to", "9"), "--format tfrecord"),
        (("--pad_to", "9", "--format", "tfrecord"), "--max_tokens 5000"),
        (("--pad_to", "9", "--format", "tfrecord", "--max_tokens", "10"), "--max_tokens 10"),
        (("--format", "tfrecord", "--dtype", "float16"), "--dtype float16"),
        (("--direct_running_mode", "multi_threading"), "multi_processing"),
        (("--direct_running_mode=multi_threading",), "multi_processing"),
    ],
)
def test_flags_that_do_not_go_together_are_refused_with_what_would(
    elsewhere: Path, flags: Sequence[str], named: str
) -> None:
    elmo_beam(*BASE, *flags).refuses(flags[0].split("=")[0], named, code=2)
    assert untouched(elsewhere)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("emebd",), "embed"),
        (("embed", "--input", "a.txt"), "--output"),
        (("embed", "--output", "out"), "--input"),
        (("embed", "--input"), "--input"),
        (("plan",), "--input"),
        (("verify",), "DIR"),
        (("verify", "out", "other"), "other"),
        (("verify", "out", "--input", "a.txt"), "--input"),
        (("inspect", "out", "--rows", "0"), "--rows"),
        (("plan", "--input", "a.txt", "--rate", "fast"), "fast"),
        (("plan", "--input", "a.txt", "--rate", "-1"), "-1"),
    ],
)
def test_a_command_line_that_is_not_complete_is_refused(
    elsewhere: Path, words: Sequence[str], named: str
) -> None:
    elmo_beam(*words).refuses(named, code=2)
    assert untouched(elsewhere)


def test_a_glob_that_the_shell_expanded_is_refused_with_what_to_do() -> None:
    elmo_beam("embed", "--input", "a.txt", "b.txt", "--output", "out").refuses(
        "b.txt", "quote", code=2
    )


def test_a_runner_that_does_not_exist_is_one_line(elsewhere: Path) -> None:
    elmo_beam(*BASE, "--runner", "NoSuchRunner").refuses("NoSuchRunner", code=2)


def test_a_remote_folder_out_of_reach_is_one_line(job: Job) -> None:
    for command in ([*BASE[:3], "--output", "nowhere://out"], ["verify", "nowhere://out"]):
        elmo_beam(*command).refuses("nowhere://out")
    elmo_beam("embed", "--input", "nowhere://a*", "--output", "out").refuses("nowhere://a*")


def test_the_local_runner_goes_by_any_of_its_names(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    for i, name in enumerate(("DirectRunner", "directrunner", "FnApiRunner")):
        out = job.folder / str(i)
        job.embed("--runner", name, "--direct_num_workers=1", "--output", out).succeeds()
        assert (out / "_SUCCESS").exists()


IMPORTS = """
import sys
from elmo_beam.pipeline.cli import run
code = run(sys.argv[1:])
heavy = {"apache_beam", "tensorflow", "pyarrow"}
sys.stderr.write(f"imported {sorted(heavy & sys.modules.keys())}")
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 0),
        (("--help",), 0),
        (("embed", "--help"), 0),
        (("--version",), 0),
        (("embed", "--input", "a.txt"), 2),
        ((*BASE, "--max_tokens", "x"), 2),
        ((*BASE, "--pad_to", "9"), 2),
        (("inspect", "out", "--rows", "none"), 2),
    ],
)
def test_help_and_our_own_flags_answer_without_heavy_imports(
    words: Sequence[str], code: int
) -> None:
    command = [sys.executable, "-c", IMPORTS, *words]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ran.returncode == code
    checked = ["imported []", "imported ['pyarrow']"]  # formats are asked what they can hold
    assert ran.stderr.endswith(tuple(checked if code else checked[:1])), ran.stderr


def test_help_names_every_flag_of_the_design_and_version_is_the_packages() -> None:
    shown = elmo_beam("embed", "--help")
    assert (shown.code, shown.err) == (0, "")
    for flag in ("--input", "--output", "--overwrite", "--id_field", *WRONG_VALUES):
        assert flag.startswith("--direct") or flag in shown.out, flag
    assert elmo_beam("--version").out == f"elmo-beam {__version__}\n"
