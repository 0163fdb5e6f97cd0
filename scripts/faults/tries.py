"""A process that has imported everything once, and forks a child for each command."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

# All that the commands import, so that the children need not.
import apache_beam.runners.portability.fn_api_runner  # noqa: F401
import h5py  # noqa: F401
import numpy as np
import psutil  # noqa: F401
from faults.phases import PHASES
from faults.preload import KILL, Fault, arm
from faults.stand_ins import AlwaysDue, PlainEncoder, PlainPipeline

import elmo_beam.pipeline.job.allennlp
import elmo_beam.pipeline.job.cluster
import elmo_beam.pipeline.job.pipeline_options as pipeline_options
import elmo_beam.pipeline.report.page  # noqa: F401
from elmo_beam.elmo.formats.bilm_hdf5 import write_bilm
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import checked_weights
from elmo_beam.pipeline.cli import main
from elmo_beam.pipeline.commands import COMMANDS
from elmo_beam.pipeline.job.verification import verify
from elmo_beam.transforms import steps
from elmo_beam.transforms.files import retry

for module in COMMANDS.values():
    import_module(module)

LIMIT = 120  # seconds that a command may take
MOST_LINES = 5  # that it may complain
OPTIONS = ModelOptions(
    filters=((1, 4), (2, 6)), char_dim=4, activation="relu", n_highway=1, max_characters=50,
    lstm_dim=8, projection_dim=4, n_layers=2, cell_clip=3.0, proj_clip=3.0,
    use_skip_connections=True,
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal; what it printed; what it did."""

    code: int
    out: str
    err: str
    journal: list[str]

    @property
    def struck(self) -> str | None:
        """The operation that was made to fail."""
        return next((label[1:] for label in self.journal if label.startswith("!")), None)


@dataclass(frozen=True)
class Outcome:
    """What came of one fault: the operation that it struck, if any, and what was wrong then.

    said: by the command that met it.
    """

    struck: str | None
    said: str
    wrong: list[str]


class Tries:
    """Tries of one phase, in a folder that is always the same, because a run names its inputs."""

    def __init__(self, work: Path, name: str, real: bool) -> None:
        """Make what the phase starts from, and run its command once without a fault.

        real: with the model and Beam themselves. `labels` are those of the command's operations.
        Raises AssertionError if even this goes wrong.
        """
        self._phase, self._real = PHASES[name], real
        if self._phase.tensorflow:
            import elmo_beam.elmo.backend
            import elmo_beam.pipeline.training.start  # noqa: F401
        self._folder, self._scratch = work / "try", work / "scratch"
        self._start, self._end = work / f"{name}-start", work / f"{name}-end"
        self._scratch.mkdir(exist_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        for inner in ("in", "tmp"):
            (self._folder / inner).mkdir(parents=True)
        write_model(self._folder / "model")
        self._phase.prepare(self._folder, self._run)
        shutil.copytree(self._folder, self._start)
        ended = self._run(self._command)
        shutil.copytree(self._folder, self._end)
        wrong = [] if ended.code == 0 else [f"exit code {ended.code}: {ended.err}"]
        wrong += self._judge(done=True)
        assert not wrong, f"{name} without a fault: {'; '.join(wrong)}"
        self.labels = ended.journal

    @property
    def _command(self) -> list[str]:
        return self._phase.command(self._folder)

    def attempt(self, fault: Fault) -> Outcome:
        """Run the command with a fault, then without one, and judge both."""
        for inner in ("out", "tmp"):  # not in/, whose files would get new times
            shutil.rmtree(self._folder / inner, ignore_errors=True)
            if (self._start / inner).exists():
                shutil.copytree(self._start / inner, self._folder / inner)
        failed = self._run(self._command, fault)
        wrong = list(_behaviour(failed, fault))
        at_once = self._judge(done=failed.code == 0)
        if fault.lasting:  # perhaps it could not be removed
            at_once = [each for each in at_once if not each.startswith("left behind")]
        wrong += at_once
        again = self._run(self._command)
        if again.code != 0:
            wrong.append(f"again: exit code {again.code}: {again.err.strip()[-300:]}")
        wrong += [f"again: {each}" for each in self._judge(done=True)]
        return Outcome(failed.struck, failed.out + failed.err, wrong)

    def _run(self, command: list[str], fault: Fault | None = None) -> Ended:
        """A command line, as `elmo-beam` runs it."""

        def work(journal: int) -> None:
            if not self._real:
                steps.load_sentence_encoder = lambda *_: PlainEncoder(OPTIONS)
                pipeline_options.new_pipeline = PlainPipeline
            if command[0] == "train":
                import elmo_beam.pipeline.training.session as session

                session.Due = AlwaysDue  # type: ignore[assignment, misc]
            retry.WAITS = (1e-3,) * 5  # seconds
            os.environ["TMPDIR"], tempfile.tempdir = f"{self._folder}/tmp", None
            sys.argv = ["elmo-beam", *command]
            arm(self._folder, journal, fault)
            main()

        return self._forked(work)

    def _judge(self, done: bool) -> list[str]:
        """What is wrong in the folder. Arrow's threads must not be in the process that forks."""
        ended = self._forked(lambda _: [print(wrong) for wrong in self._wrong(done)])
        return ended.out.splitlines() + ended.err.splitlines()[-1:]

    def _wrong(self, done: bool) -> list[str]:
        wrong = list(self._phase.check(self._folder, self._end, done))
        for pattern in ("in/*", "model/*", *self._phase.untouched):
            for before in self._start.glob(pattern):
                now = self._folder / before.relative_to(self._start)
                if not now.exists() or now.read_bytes() != before.read_bytes():
                    wrong.append(f"gone or changed: {before.relative_to(self._start)}")
        if done and self._phase.run:
            wrong += [f"verify: {each}" for each in verify(f"{self._folder}/out")[1]]
        return wrong

    def _forked(self, work: Callable[[int], object]) -> Ended:
        """Run something in a child, which is given a descriptor for the journal."""
        temporary = partial(tempfile.TemporaryFile, "w+", dir=self._scratch)
        with temporary() as out, temporary() as err, temporary() as journal:
            child = os.fork()
            if not child:
                try:
                    os.dup2(out.fileno(), 1)
                    os.dup2(err.fileno(), 2)
                    signal.alarm(LIMIT)  # ends it
                    work(journal.fileno())
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = [_text(file.fileno()) for file in (out, err, journal)]
        return Ended(code, texts[0], texts[1], texts[2].splitlines())


def _text(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()


def _behaviour(ended: Ended, fault: Fault) -> list[str]:
    """What is wrong with how a command met a fault."""
    if fault.error == KILL and ended.struck:
        return [] if ended.code == -signal.SIGKILL else [f"exit code {ended.code} of a killed one"]
    lines = ended.err.splitlines()
    last = lines[-1] if lines else "nothing said"
    if "Traceback" in ended.out + ended.err:
        return [f"a traceback: {last}"]
    if ended.code == 0:
        return [f"exit code 0, but: {last}"] if lines else []
    if ended.code != 1 or not ended.struck:
        return [f"exit code {ended.code}: {last}"]
    if not 1 <= len(lines) <= MOST_LINES or not all(x.startswith("elmo-beam: ") for x in lines):
        return [f"{len(lines)} lines: {last}"]
    if any("damaged: " in line for line in lines):
        return [f"calls a whole file damaged: {last}"]
    return []


def write_model(folder: Path) -> None:
    """A small model of random weights, in the published layout."""
    generator = np.random.default_rng(1)
    shapes = OPTIONS.shapes().items()
    arrays = {name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes}
    arrays["char_embed"][0] = 0.0
    write_bilm(checked_weights(OPTIONS, arrays, "random weights"), folder)
