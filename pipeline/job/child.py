"""The process of a job that `elmo_beam.embed` starts: a job comes in as JSON, events go out."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import IO, NoReturn

from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.process import claim_process
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.run import run_job
from elmo_beam.pipeline.terminal.stopping import Stopper, leave


class _Events:
    """A Status that reports to the caller, one JSON object per line."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe

    def show(self, share: float, text: str) -> None:
        """Report how far the job is."""
        self.send({"share": share, "text": text})

    def end(self) -> None:
        """Nothing: the caller knows."""

    def send(self, event: dict[str, object]) -> None:
        """Report an event."""
        try:
            self._pipe.write(json.dumps(event) + "\n")
            self._pipe.flush()
        except BrokenPipeError:  # the caller is gone
            leave(1)


def main() -> NoReturn:
    """Run the job on standard input; report to the descriptor that the first argument names."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)  # its end must not wait for a worker's
    logging.getLogger().setLevel(logging.CRITICAL)
    claim_process()
    job = Job.from_json(sys.stdin.readline())
    threading.Thread(target=_leave_with_caller, daemon=True).start()
    with open(descriptor, "w", encoding="utf-8") as pipe, Stopper() as stop:
        events = _Events(pipe)
        events.send(_outcome(job, stop, events))
    leave(0)


def _outcome(job: Job, stop: Stopper, events: _Events) -> dict[str, object]:
    try:
        if job.beam_flags:
            from elmo_beam.pipeline.job.pipeline_options import use_flags_for_filesystems

            use_flags_for_filesystems(job.beam_flags)
        _, state, _ = run_job(job, stop, events)
        return {"problems": problems(state)}
    except UserError as error:
        return {"error": str(error), "wrong_argument": isinstance(error, ArgumentError)}
    except OSError as error:
        text = f"{error.strerror or error} {error.filename or ''}".strip()
        return {"error": text, "wrong_argument": False}


def _leave_with_caller() -> None:
    """End when the caller's end of standard input closes: it is gone."""
    sys.stdin.read()
    leave(1)
