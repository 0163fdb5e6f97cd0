"""Long work in a thread, so that the main thread stays free to answer signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TypeVar

from elmo_beam.pipeline.terminal.stopping import SIGNALS

Result = TypeVar("Result")


def run_in_thread(work: Callable[[], Result], tick: Callable[[], None], interval: float) -> Result:
    """What `work` returns or raises, run in a thread; `tick` is called every `interval` seconds.

    One block of a large model can keep a thread in TensorFlow for a minute, and Python answers
    signals in the main thread only.
    """
    outcome: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        # Also for the processes that it starts: a terminal sends Ctrl-C to them too, and each
        # would print a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            outcome.append(work())
        except BaseException as error:  # it belongs to the main thread
            errors.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    while worker.is_alive():
        tick()
        worker.join(interval)
    if errors:
        raise errors[0]
    return outcome[0]
