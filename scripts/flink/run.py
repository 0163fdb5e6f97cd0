"""Run one elmo-beam command on a Flink cluster that is started for it and stopped after it.

python scripts/flink/run.py embed --input … --output … [any other flag of elmo-beam or Beam]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from cluster import SHORT_LIVED, Cluster
from install import Missing, install

from elmo_beam.pipeline.job.run import encoder_threads

TASK_MANAGERS = 2
WORKER = Path(sys.executable).with_name("elmo-beam-worker")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "elmo-beam"


def flink_flags(cluster: Cluster, job_server: Path, slots: int) -> list[str]:
    """Beam's flags for the cluster: the workers are our own processes, which share the cores."""
    threads = encoder_threads(slots)
    environment = {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
    return [
        "--runner=FlinkRunner",
        f"--flink_master={cluster.master}",
        "--flink_version=1.19",
        f"--flink_job_server_jar={job_server}",
        *(f"--job_server_jvm_property={flag}" for flag in SHORT_LIVED),
        f"--parallelism={slots}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': str(WORKER), 'env': environment})}",
    ]


def main() -> int:
    """The command's exit code; a signal stops the cluster too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("command", choices=["embed"], help="of elmo-beam; its flags follow")
    args, flags = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        return _run(args.command, flags)
    except (Missing, TimeoutError) as error:
        sys.exit(f"flink: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(command: str, flags: list[str]) -> int:
    flink = install(CACHE)
    if not WORKER.exists():
        raise Missing(f"no {WORKER}: install the package again")
    with Cluster(flink, TASK_MANAGERS) as cluster:
        print(f"Flink at http://{cluster.master}, logs in {cluster.folder}", file=sys.stderr)
        elmo_beam = [sys.executable, "-m", "elmo_beam", command, *flags]
        beam = flink_flags(cluster, flink.job_server, TASK_MANAGERS)
        # Beam never deletes its job server's folder: put it where the cluster's files are deleted.
        own = {**os.environ, "TMPDIR": str(cluster.folder / "tmp")}
        child = subprocess.Popen([*elmo_beam, *beam], env=own)
        # A terminal sends Ctrl-C to the command too, which answers it; TERM has to be passed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for passed in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(passed, lambda *_: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())
