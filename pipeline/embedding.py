"""`elmo_beam.embed`: the whole job, called from Python.

The job runs in a process of its own, started with its settings as data. So the caller keeps its
signal handlers, its threads and its environment, and its script needs no `__main__` guard.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from elmo_beam.elmo.arguments import check_bool, name_list, path_text, string_list
from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.formats.handles import StrPath
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.terminal.flag_types import written_flags
from elmo_beam.pipeline.terminal.status_line import StatusLine
from elmo_beam.transforms.files.settings import Settings, usual_block_size
from elmo_beam.transforms.files.temporary import temporary_errors_explained
from elmo_beam.transforms.inputs.fields import checked_fields
from elmo_beam.transforms.readers.run import Run, open_run
from elmo_beam.transforms.settings_checks import check_command_settings
from elmo_beam.transforms.words.finder import checked_words

STOP_WITHIN = 30  # seconds; a cluster takes its time to cancel a job
# The current folder is removed from the module path: any file there may have the name of a module.
# This package's folder comes last, in case only the caller has it on its path.
PACKAGE_FOLDER = str(Path(__file__).parents[2])
CHILD = (
    "import sys; sys.path[:] = [*(p for p in sys.path if p), sys.argv[2]]; "
    "from elmo_beam.pipeline.job.child import main; main()"
)


class IncompleteRun(UserError):
    """A job that ended, but not every line of every input is accounted for.

    The same call finishes the run once the problems are fixed.

    Attributes:
        run (Run): what there is of it.
        problems (list[str]): one line for each thing that is missing.
    """

    def __init__(self, run: Run, problems: list[str]) -> None:
        more = f" (and {counted(len(problems) - 1, 'more problem')})" if problems[1:] else ""
        super().__init__(f"the run in {run.layout.root} is not complete: {problems[0]}{more}")
        self.run, self.problems = run, problems


def embed(  # noqa: D417 (Settings documents the rest)
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    model: StrPath = "default",
    outputs: Sequence[str] = ("elmo",),
    encoder: str = "native",
    precision: str = "float32",
    memory: int = 1 << 30,
    format: str = "parquet",
    dtype: str = "float32",
    block_size: int | None = None,
    normalize: str = "nfc",
    tokenizer: str = "moses",
    language: str = "en",
    split_sentences: bool = False,
    max_tokens: int | None = None,
    long_sentences: str = "reject",
    pad_to: int | None = None,
    text_field: str = "text",
    text_column: str = "text",
    id_field: str | None = None,
    parquet_encoding: str = "byte_stream_split",
    trust_model: bool = False,
    words: Sequence[str] | None = None,
    word_case: str = "exact",
    word_key: str = "form",
    context: int | None = None,
    pool: str | None = None,
    top_words: int | None = None,
    keep_fields: Sequence[str] = (),
    limit: int | None = None,
    overwrite: bool = False,
    beam_options: Sequence[str] | Mapping[str, object] | None = None,
    progress: bool = True,
) -> Run:
    """Embed text shards into a folder, as `elmo-beam embed` does; called again, it continues.

    Every argument from `model` to `limit` is a field of `Settings`, with the same default.

    Args:
        inputs: paths, globs or URLs.
        output: a folder or URL.
        block_size: 256 KiB, or 2 MiB for runs of words, if None.
        words: a list of words; `--words` of the command takes the file of one.
        overwrite: start over.
        beam_options: Beam's own, as flags or as a mapping of names to values, such as
            `{"runner": "FlinkRunner"}`.
        progress: show it on standard error; False is `--quiet`.

    Raises:
        ArgumentError: for wrong arguments, before anything is written.
        IncompleteRun: if something is missing at the end, a damaged file for instance.
        UserError: for everything else, such as a folder in use.
        KeyboardInterrupt: stops the job; the same call continues it.
    """
    chosen = () if words is None else checked_words(words)
    settings = Settings(
        model=path_text("model", model),
        encoder=encoder,
        precision=precision,
        memory=memory,
        outputs=tuple(name_list("outputs", outputs)),
        format=format,
        dtype=dtype,
        block_size=usual_block_size(chosen, top_words) if block_size is None else block_size,
        normalize=normalize,
        tokenizer=tokenizer,
        language=language,
        split_sentences=split_sentences,
        max_tokens=max_tokens,
        long_sentences=long_sentences,
        pad_to=pad_to,
        text_field=text_field,
        text_column=text_column,
        id_field=id_field,
        parquet_encoding=parquet_encoding,
        trust_model=trust_model,
        words=chosen,
        word_case=word_case,
        word_key=word_key,
        context=context,
        pool=pool,
        top_words=top_words,
        keep_fields=checked_fields(keep_fields),
        limit=limit,
    )
    check_command_settings(settings)
    check_bool("overwrite", overwrite)
    job = Job(
        inputs=_inputs(inputs),
        output=path_text("output", output),
        settings=settings,
        overwrite=overwrite,
        beam_flags=tuple(_beam_flags(beam_options)),
    )
    problems = _run_in_child(job, progress)
    run = open_run(job.output, allow_incomplete=True)
    if problems:
        raise IncompleteRun(run, problems)
    return run


def _inputs(inputs: StrPath | Sequence[StrPath]) -> tuple[str, ...]:
    if isinstance(inputs, str | bytes | os.PathLike) or not isinstance(inputs, Iterable):
        return (path_text("inputs", inputs),)
    named = tuple(path_text("inputs", path) for path in inputs)
    if not named:
        raise ArgumentError("`inputs` is empty: name a file or a glob")
    return named


def _beam_flags(options: Sequence[str] | Mapping[str, object] | None) -> list[str]:
    """Beam's options as its command line takes them."""
    if options is None:
        return []
    if not isinstance(options, Mapping):
        return string_list("beam_options", options)
    return [flag for name, value in options.items() for flag in written_flags(name, value)]


def _run_in_child(job: Job, progress: bool) -> list[str]:
    """Run the job in a process of its own; the problems that it found. UserError if it failed."""
    with temporary_errors_explained():
        log = tempfile.TemporaryFile()  # noqa: SIM115
    events, events_of_child = _pipe()
    with log, open(events, encoding="utf-8") as received:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(events_of_child), PACKAGE_FOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[events_of_child],
            start_new_session=True,  # Ctrl-C of the terminal is the caller's to answer
        )
        os.close(events_of_child)
        assert child.stdin is not None
        try:
            # It stays open: its end tells the child that the caller is gone.
            child.stdin.write(job.to_json().encode() + b"\n")
            child.stdin.flush()
            ended = _follow(received, progress)
        except BrokenPipeError:
            ended = None
        except BaseException:
            child.terminate()
            raise
        finally:
            try:
                child.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            child.stdin.close()
        if ended is None:
            raise UserError(_cut_off(child.returncode, log))
    if "error" in ended:
        kind = ArgumentError if ended["wrong_argument"] else UserError
        raise kind(ended["error"])
    return list(ended["problems"])


def _pipe() -> list[int]:
    """A pipe whose ends are not the caller's standard streams, even if it has closed those."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3))
        os.close(end)
    return ends


def _follow(received: IO[str], progress: bool) -> dict[str, Any] | None:
    """Show what the child reports; its last word, None if it ended without one."""
    ended: dict[str, Any] | None = None
    with StatusLine(quiet=not progress) as status:
        for line in received:
            if not line.endswith("\n"):  # it was cut off
                break
            event = json.loads(line)
            if "share" not in event:
                ended = event
            else:
                status.show(event["share"], event["text"])
    return ended


def _cut_off(code: int, log: IO[bytes]) -> str:
    """Why a child that reported no end is gone."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    last = f": {lines[-1]}" if lines else ""
    if code < 0:
        return f"the job's process was killed by signal {-code}{last}; the same call continues"
    return f"the job's process ended with exit code {code}{last}"
