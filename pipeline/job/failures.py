"""A failed job, in one line. All that is read from a runner's text is read here."""

from __future__ import annotations

import re
import traceback

from elmo_beam.elmo.errors import UserError, memory_error
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.storage import write_bytes
from elmo_beam.transforms.worker_errors import marked_user_error

STEP = re.compile(r"\s*\[while running '[^'\n]*'\]")  # Beam's addition to a step's error


def explained(error: BaseException, layout: Layout) -> UserError:
    """What went wrong, for the user.

    An error that is not of the user's making has its traceback kept in error.log.
    """
    if isinstance(error, UserError):
        return error
    text = str(error)
    if ours := marked_user_error(text):
        return ours
    if ours := memory_error(error):
        return UserError(STEP.sub("", f"{ours}; the same command continues"))
    if package := re.search(r"No module named 'elmo_beam\b.*?'", text):
        return UserError(
            f"a worker has no elmo-beam ({package[0]}): install the same version wherever the "
            "runner starts its workers"
        )
    if silent := re.search(r"error=2, .*|Process died with exit code \d+", text):
        return UserError(
            f"a worker did not start ({silent[0]}): check that the command in environment_config "
            "runs wherever the runner starts its workers"
        )
    trace = "".join(traceback.format_exception(error))
    last = STEP.sub("", text).strip().splitlines()[-1:]
    cause = ": ".join([type(error).__name__, *last])
    try:
        write_bytes(layout.root, layout.error_log, trace.encode("utf-8", "backslashreplace"))
        kept = f"the traceback is in {layout.error_log}"
    except UserError as refused:  # a full disk may be the cause itself, which must not be lost
        kept = f"its traceback is lost, for {refused}"
    return UserError(f"the job failed ({cause}): {kept}; the same command continues")
