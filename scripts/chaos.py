"""Faults at every file operation of small jobs: a killed process, a full disk, a failing one.

    python scripts/chaos.py --points 3000

A point is one operation on a file and one fault: the process is killed there, or the operation
fails with ENOSPC, EDQUOT, EROFS, EMFILE or EIO, once or from then on. After it, no file may be half
written and no row wrong; the same command again must complete the job as if nothing had been. A
point that fails is printed with the command that repeats it. Needs Linux with glibc, and cc.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults.preload import Fault, build, no_compiler, sample

SHARED_MEMORY = Path("/dev/shm")  # where syncing costs nothing
PLAIN = (
    "fresh", "continued", "changed", "replaced", "added", "packed", "pack-changed", "overwrite",
    "tfrecord", "pooled", "elmo", "report",
)  # fmt: skip
REAL = ("model", "train")  # these run TensorFlow: a try takes seconds
ENVIRONMENT = {"LANGUAGE": "C", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main() -> int:
    """Try the points in a process that has the library loaded; its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave nothing behind
    args = _flags()
    if "LD_PRELOAD" in os.environ:
        return _try_all(args, Path.cwd())
    if reason := no_compiler():
        print(f"chaos: cannot run here: {reason}", file=sys.stderr)
        return 2
    memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as work:
        preloaded = {**os.environ, **ENVIRONMENT, "LD_PRELOAD": str(build(Path(work)))}
        script = str(Path(__file__).resolve())
        command = [sys.executable, script, *sys.argv[1:]]
        return subprocess.run(command, cwd=work, env=preloaded, check=False).returncode


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--points", type=int, default=3000, metavar="N", help=f"in {', '.join(PLAIN)}, in all"
    )
    parser.add_argument(
        "--model", type=int, default=200, metavar="N", help="with the model and Beam themselves"
    )
    parser.add_argument("--train", type=int, default=40, metavar="N", help="of a training")
    parser.add_argument(
        "--phases", nargs="+", choices=(*PLAIN, *REAL), default=(*PLAIN, *REAL), metavar="NAME"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which points (1)")
    parser.add_argument(
        "--fault", type=Fault.parse, help="only this one; shows what the command says of it"
    )
    return parser.parse_args()


def _try_all(args: argparse.Namespace, work: Path) -> int:
    from faults.tries import Tries

    logging.disable()  # Beam warns of extras that few need
    gc.disable()  # a collection would copy the pages that the children share
    all_failing = 0
    print(f"{'phase':<12}{'operations':>12}{'points':>8}{'not met':>9}{'failing':>9}{'seconds':>9}")
    for phase in args.phases:
        plain = [name for name in args.phases if name in PLAIN]
        points = args.points // len(plain) if phase in plain else getattr(args, phase)
        if not points:
            continue
        began = time.monotonic()
        tries = Tries(work, phase, phase in REAL)
        faults = sample(tries.labels, points, random.Random(args.seed))
        missed = failing = 0
        for fault in [args.fault] if args.fault else faults:
            outcome = tries.attempt(fault)
            missed += outcome.struck is None
            if outcome.wrong:
                failing += 1
                print(f"python scripts/chaos.py --phases {phase} --fault {shlex.quote(str(fault))}")
                print(*(f"    {wrong}" for wrong in outcome.wrong), sep="\n", flush=True)
            if args.fault:
                print(outcome.said)
        seconds, n = time.monotonic() - began, 1 if args.fault else len(faults)
        row = f"{len(tries.labels):>12}{n:>8}{missed:>9}{failing:>9}{seconds:>9.0f}"
        print(f"{phase:<12}{row}", flush=True)
        all_failing += failing
    return 1 if all_failing else 0


if __name__ == "__main__":
    sys.exit(main())
