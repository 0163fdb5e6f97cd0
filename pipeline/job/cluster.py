"""A job on a cluster: submitted so that a signal cancels it there."""

from __future__ import annotations

import json
import signal
from typing import Any
from urllib.request import Request, urlopen

import apache_beam as beam
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.pipeline.terminal.stopping import SIGNALS, Stopper
from elmo_beam.transforms.beam_internals import flink_job_name

ENDED = {"CANCELED", "CANCELLING", "FAILED", "FAILING", "FINISHED"}
ANSWER_WITHIN = 10  # seconds


def submit(pipeline: beam.Pipeline, stop: Stopper) -> Any:
    """Submit a job to its cluster; from then on a signal cancels it. Returns Beam's result.

    A terminal sends Ctrl-C to Beam's job server too, which must live until then: it starts with the
    signals blocked, and `pipeline_options` keeps Java from unblocking them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        result = pipeline.run()  # in the main thread, since Beam sets a signal handler of its own
    finally:
        stop.arm()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    stop.clean_up = lambda: _cancel(result, pipeline.options)
    return result


def _cancel(result: Any, options: Any) -> None:
    """Cancel a submitted job; UserError if the cluster does not answer.

    Beam's job server only stops waiting for a Flink job, which would run on: Flink is asked itself,
    by its REST interface.
    """
    result.cancel()
    master = options.view_as(FlinkRunnerOptions).flink_master
    if master.startswith("["):
        return  # other runners obey Beam; a cluster within the job server ends with it
    url = master if "://" in master else f"http://{master}"
    try:
        name = flink_job_name(result)
        for job in _ask(f"{url}/jobs/overview")["jobs"]:
            if job["name"] == name and job["state"] not in ENDED:
                _ask(f"{url}/jobs/{job['jid']}?mode=cancel", "PATCH")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"the job may still run on {url} ({cause_of(error)}): cancel it there"
        ) from error


def _ask(url: str, method: str = "GET") -> Any:
    with urlopen(Request(url, method=method), timeout=ANSWER_WITHIN) as answer:
        return json.loads(answer.read() or b"null")
