"""`elmo_beam.embed`: the job from Python, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

import elmo_beam
from tests.helpers.command import (
    Job,
    assert_same_rows,
    done_blocks,
    files_of,
    random_lines,
    read_rows,
    wait_for,
)
from tests.helpers.refusal import refused

# A script of somebody who never heard of a main guard.
SCRIPT = """
import json, signal, sys, threading, elmo_beam
settings = json.loads(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # under nohup it would be ignored
before = signal.getsignal(signal.SIGINT), threading.active_count()
try:
    run = elmo_beam.embed(**settings)
    print(json.dumps({"lines": run.manifest["lines"]}))
except KeyboardInterrupt:
    print(json.dumps({"interrupted": True}))
assert (signal.getsignal(signal.SIGINT), threading.active_count()) == before
print("alive")
"""


def script(**settings: object) -> subprocess.Popen[str]:
    """Start the script in a process and a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_writes_what_the_command_writes(job: Job, tmp_path: Path) -> None:
    records = '{"body": "x", "n": 5}\nno\n'
    files = [job.file("a.txt", random_lines(40)), job.file("b.jsonl", records)]
    flags = ["--outputs", "elmo,default", "--text_field", "body", "--block_size", "1k"]
    flags += ["--keep_fields", "n:int64"]
    job.embed(*flags, inputs=files).succeeds()
    run = elmo_beam.embed(
        files,
        tmp_path / "python",
        model=str(job.model),
        outputs=["elmo", "default"],
        text_field="body",
        block_size=1024,
        keep_fields="n:int64",
        progress=False,
    )
    got, want = tmp_path / "python", job.out
    assert sorted(files_of(got)) == sorted(files_of(want))
    assert_same_rows(read_rows(got), read_rows(want))
    assert read_rows(got)["n"].drop_null().to_pylist() == [5]
    for name in ("lines", "embedded", "rejected", "rows", "tokens", "settings", "versions"):
        assert run.manifest[name] == job.manifest()[name], name
    assert run.complete and run.shards == sorted(map(str, files))
    before = files_of(got)
    job.out_name = "python"  # the command continues what the call began, and finds nothing to do
    job.embed(*flags, inputs=files).succeeds()
    assert files_of(got) == before


def test_a_script_without_a_guard_and_without_standard_streams(job: Job) -> None:
    text = job.file("a.txt", random_lines(5))
    settings = {"inputs": str(text), "output": str(job.out), "model": str(job.model)}
    code = (
        f"import elmo_beam; run = elmo_beam.embed(**{settings!r}); "
        f"open({str(job.folder / 'lines')!r}, 'w').write(str(run.manifest['lines']))"
    )
    closed = 'exec "$0" -c "$1" <&- >&- 2>&-'
    ran = subprocess.run(["sh", "-c", closed, sys.executable, code], timeout=120)
    assert ran.returncode == 0
    assert (job.folder / "lines").read_text() == "5"


def test_twice_in_one_process_with_other_settings(
    job: Job, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elmo_beam.pipeline.terminal.status_line.LINE_EVERY", 0.0)
    text = job.file("a.txt", "The bank of the river.\n")
    environment = dict(os.environ)
    model = str(job.model)
    first = elmo_beam.embed(text, job.out, model=model, outputs="default", progress=False)
    assert capfd.readouterr() == ("", "")
    assert first.arrays("default")[0].shape == (1, 8)
    with refused("`outputs` default, now word_emb", "`overwrite`"):
        elmo_beam.embed(text, job.out, model=model, outputs="word_emb", progress=False)
    second = elmo_beam.embed(
        text, job.out, model=model, outputs="word_emb", dtype="float16", overwrite=True
    )
    out, err = capfd.readouterr()
    assert out == "" and "0 of 1 block" in err
    assert second.arrays("word_emb")[0].dtype == np.float16
    assert dict(os.environ) == environment


def test_a_damaged_file_raises_when_all_else_is_done(job: Job) -> None:
    good, bad = job.file("good.txt", random_lines(3)), job.file("bad.txt.gz", b"\x1f\x8bxx")
    with pytest.raises(elmo_beam.IncompleteRun) as caught:
        elmo_beam.embed([good, bad], job.out, model=str(job.model), progress=False)
    assert len(caught.value.problems) == 1 and str(bad) in caught.value.problems[0]
    assert str(bad) in str(caught.value) and len(str(caught.value).splitlines()) == 1
    assert caught.value.run.manifest["embedded"] == 3 and not caught.value.run.complete
    assert isinstance(caught.value, elmo_beam.UserError)


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({"tokenizer": "spacy"}, ["`tokenizer`", "spacy", "moses"]),
        ({"max_tokens": 0}, ["`max_tokens`", "0"]),
        ({"format": "csv"}, ["`format`", "csv", "parquet"]),
        ({"pad_to": 5}, ["`pad_to`", "parquet"]),
        ({"language": "xx"}, ["`language`", "xx"]),
        ({"inputs": []}, ["`inputs`"]),
        ({"beam_options": "--runner=x"}, ["`beam_options`"]),
        ({"beam_options": [5]}, ["`beam_options`", "item 0", "5"]),
        ({"inputs": None}, ["`inputs`", "None"]),
        ({"inputs": ["a.txt", 5]}, ["`inputs`", "5"]),
        ({"output": ""}, ["`output`", "''"]),
        ({"output": "a\0b"}, ["`output`"]),
        ({"model": None}, ["`model`", "None"]),
        ({"outputs": 5}, ["`outputs`", "5"]),
        ({"outputs": "sense"}, ["`outputs`", "sense", "lstm_outputs1"]),
        ({"split_sentences": "no"}, ["`split_sentences`", "no"]),
        ({"text_field": 5}, ["`text_field`", "5"]),
        ({"id_field": []}, ["`id_field`", "[]"]),
    ],
)
def test_wrong_arguments_raise_before_anything_starts(
    job: Job, wrong: dict[str, object], parts: list[str]
) -> None:
    arguments = {"inputs": str(job.file("a.txt", "x\n")), "output": str(job.out), **wrong}
    with refused(*parts, kind=elmo_beam.ArgumentError):
        elmo_beam.embed(**arguments)  # type: ignore[arg-type]
    assert not job.out.exists()
    assert issubclass(elmo_beam.ArgumentError, ValueError)


def test_what_only_the_job_can_know_is_refused_too(job: Job) -> None:
    text, model = job.file("a.txt", "x\n"), str(job.model)
    with refused("lstm_outputs9", "lstm_outputs2", kind=elmo_beam.ArgumentError):
        elmo_beam.embed(text, job.out, model=job.model, outputs="lstm_outputs9", progress=False)
    with refused("`inputs`", "matches no file", "missing.txt"):
        elmo_beam.embed(job.folder / "missing.txt", job.out, model=model, progress=False)
    with refused("`beam_options`", "--nobodys", kind=elmo_beam.ArgumentError):
        elmo_beam.embed(text, job.out, beam_options={"nobodys": 1}, progress=False)


def test_beams_options_reach_beam(job: Job) -> None:
    text, model = job.file("a.txt", "x\n"), str(job.model)
    options = {"direct_running_mode": "multi_threading", "streaming": False, "experiments": ["a"]}
    with refused("multi_threading loses records", kind=elmo_beam.ArgumentError):
        elmo_beam.embed(text, job.out, model=model, beam_options=options, progress=False)


def test_an_interrupt_stops_the_job_and_not_the_caller(job: Job) -> None:
    text = job.file("a.txt", random_lines(40_000))
    settings = {
        "inputs": str(text), "output": str(job.out), "model": str(job.model), "block_size": 4096
    }  # fmt: skip
    started = script(**settings)
    wait_for(lambda: done_blocks(job.out) >= 3 or started.poll() is not None, 120)
    children = psutil.Process(started.pid).children(recursive=True)
    assert children
    os.kill(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out.splitlines()) == (0, ['{"interrupted": true}', "alive"]), err
    assert not [child for child in children if child.is_running()]
    assert done_blocks(job.out) >= 3 and not (job.out / "_SUCCESS").exists()


def test_the_job_ends_when_the_caller_is_killed(job: Job) -> None:
    text = job.file("a.txt", random_lines(40_000))
    started = script(inputs=str(text), output=str(job.out), model=str(job.model), block_size=4096)
    wait_for(lambda: done_blocks(job.out) >= 1 or started.poll() is not None, 120)
    children = psutil.Process(started.pid).children(recursive=True)
    os.kill(started.pid, signal.SIGKILL)
    started.wait(10)
    wait_for(lambda: not any(child.is_running() for child in children), 30)
    started.communicate()


def test_a_job_process_that_is_killed_is_one_line(job: Job) -> None:
    text = job.file("a.txt", random_lines(40_000))
    started = script(inputs=str(text), output=str(job.out), model=str(job.model), block_size=4096)
    wait_for(lambda: done_blocks(job.out) >= 1 or started.poll() is not None, 120)
    for child in psutil.Process(started.pid).children():
        child.kill()
    _, err = started.communicate(timeout=60)
    assert "UserError: the job's process was killed by signal 9" in err.splitlines()[-1]
