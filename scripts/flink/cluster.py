"""A standalone Flink session cluster on loopback: a JobManager and TaskManagers, kept alive."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from install import Flink

UP_WITHIN = 180  # seconds; 10 on an idle machine
JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"
# For processes that live for minutes: the second compiler would cost more time than it saves.
SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# What Flink's own start scripts open to Java 17.
OPENED = [
    *(f"java.base/java.{name}" for name in ("io", "lang", "net", "nio", "text", "time", "util")),
    *(f"java.base/java.lang.{name}" for name in ("invoke", "reflect")),
    *(f"java.base/java.util.{name}" for name in ("concurrent", "concurrent.atomic")),
    "java.base/java.util.concurrent.locks",
    "java.base/sun.net.util",
    "java.base/sun.nio.ch",
]
CONFIG = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: localhost
jobmanager.memory.process.size: 1g
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest_port}
taskmanager.host: localhost
taskmanager.bind-host: localhost
taskmanager.numberOfTaskSlots: 1
taskmanager.memory.process.size: 1g
parallelism.default: {task_managers}
io.tmp.dirs: {folder}/tmp
web.tmpdir: {folder}/tmp
heartbeat.interval: 1000
heartbeat.timeout: 8000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: {restarts}
restart-strategy.fixed-delay.delay: 1 s
"""


class Cluster:
    """The cluster, up while it is entered. A TaskManager that dies is started again.

    folder: configuration and logs, deleted with the cluster. Each process leads a group of its own,
    so that Beam's workers, which are a TaskManager's children, end with it.
    """

    def __init__(self, flink: Flink, task_managers: int = 2, restarts: int = 3) -> None:
        """restarts: how often a job is started again before it has failed."""
        self._flink, self._count = flink, task_managers
        self.folder = Path(tempfile.mkdtemp(prefix="elmo-beam-flink-"))
        self._rest_port, rpc_port = free_port(), free_port()
        (self.folder / "conf").mkdir()
        (self.folder / "tmp").mkdir()
        config = CONFIG.format(
            rpc_port=rpc_port,
            rest_port=self._rest_port,
            task_managers=task_managers,
            restarts=restarts,
            folder=self.folder,
        )
        (self.folder / "conf" / "config.yaml").write_text(config)
        self._leaders: list[subprocess.Popen[bytes]] = []  # all that were ever started
        self._resources: dict[str, tuple[list[str], list[str]]] = {}
        self.task_managers: list[subprocess.Popen[bytes]] = []
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def master(self) -> str:
        """For --flink_master."""
        return f"localhost:{self._rest_port}"

    def __enter__(self) -> Cluster:
        try:
            self._start("jobmanager", JOB_MANAGER, "GET_JM_RESOURCE_PARAMS")
            self.task_managers = [self._task_manager(i) for i in range(self._count)]
            self._wait()
        except BaseException:
            self._down()
            raise
        self._keeper.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._keeper.join()
        self._down()

    def ask(self, path: str) -> Any:
        """JSON from the REST interface, for a path such as `/taskmanagers`."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=10) as answer:
            return json.load(answer)

    def _task_manager(self, i: int) -> subprocess.Popen[bytes]:
        return self._start(f"taskmanager-{i}", TASK_MANAGER, "GET_TM_RESOURCE_PARAMS")

    def _start(self, name: str, main: str, resources: str) -> subprocess.Popen[bytes]:
        flags, settings = self._resources_of(resources)
        opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
        command = [self._flink.java, *flags, *SHORT_LIVED, *opened, "-classpath", self._jars, main]
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [*command, "--configDir", str(self.folder / "conf"), *settings],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "FLINK_PLUGINS_DIR": str(self._flink.plugins),
                    "TMPDIR": str(self.folder / "tmp"),  # of the workers too
                },
                cwd=self.folder,
                start_new_session=True,
            )
        self._leaders.append(process)
        return process

    @property
    def _jars(self) -> str:
        return os.pathsep.join(map(str, self._flink.classpath))

    def _resources_of(self, kind: str) -> tuple[list[str], list[str]]:
        """The flags of Java and settings of Flink that a kind of process needs for its memory."""
        if kind not in self._resources:
            asked = subprocess.run(
                [
                    self._flink.java, *SHORT_LIVED,
                    "-classpath", f"{self._flink.java_utils}{os.pathsep}{self._jars}",
                    "org.apache.flink.runtime.util.bash.BashJavaUtils", kind,
                    "--configDir", str(self.folder / "conf"),
                ],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            found = [line for line in asked.stdout.splitlines() if line.startswith(RESULT)]
            flags, settings = (line.removeprefix(RESULT).split() for line in found[-2:])
            self._resources[kind] = flags, settings
        return self._resources[kind]

    def _wait(self) -> None:
        end = time.monotonic() + UP_WITHIN
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if len(self.ask("/taskmanagers")["taskmanagers"]) == self._count:
                    return
            if any(process.poll() is not None for process in self._leaders):
                break
            time.sleep(0.5)
        logs = "\n".join(p.read_text()[-2000:] for p in sorted(self.folder.glob("*.log")))
        raise TimeoutError(f"the cluster did not come up within {UP_WITHIN} s\n{logs}")

    def _keep(self) -> None:
        while not self._ending.wait(1):
            for i, process in enumerate(self.task_managers):
                if process.poll() is not None:
                    _end(process)
                    self.task_managers[i] = self._task_manager(i)

    def _down(self) -> None:
        for process in self._leaders:
            _end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all of its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port of loopback that nothing listens to now."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])
