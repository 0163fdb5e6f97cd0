"""Whether this process is one that Beam has started as a worker."""

from __future__ import annotations

import os

from elmo_beam.elmo.process import claim_process

# Every worker process of Beam has it: the Fn API's "SDK harness container contract".
CONTROL = "CONTROL_API_SERVICE_DESCRIPTOR"


def claim_worker_process() -> None:
    """Claim a worker of Beam's for the model; a process that a user has started is left alone."""
    if CONTROL in os.environ:
        claim_process()
