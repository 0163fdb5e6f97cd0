"""Flink and Beam's job server for it, fetched once into a cache folder."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

JAVA = "Java 17 (Debian: openjdk-17-jre-headless)"
VERSION = "1.19.3"
ARCHIVE_SHA256 = "4a58e3a1fb7d83340bc96b6c080624c6d792d69fae5d294b96224775204a9c60"
POM = Path(__file__).with_name("pom.xml")


class Missing(Exception):
    """Something that the cluster needs is not available; the message says what and why."""


@dataclass(frozen=True)
class Flink:
    """Where the parts are. classpath: jars of JobManager and TaskManager; job_server: one jar."""

    java: str
    classpath: list[Path]
    plugins: Path
    java_utils: Path
    job_server: Path


def install(cache: Path) -> Flink:
    """Flink in the cache folder, fetched and built if needed; raises Missing.

    Flink comes as PyPI's apache-flink-libraries, checked against its sha256. Maven builds the job
    server from pom.xml; its strict mode checks each jar against Maven Central's checksums.
    """
    java = _program("java", JAVA)
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) not in (11, 17):
        raise Missing(f"`java` is {said.splitlines()[0]}: put {JAVA} on the PATH")
    home = cache / f"flink-{VERSION}"
    if not home.is_dir():
        _fetch_flink(home)
    job_server = cache / f"job-server-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}.jar"
    if not job_server.is_file():
        _build_job_server(cache, job_server)
    # Nothing here uses Flink's table API, whose planner is half of its size.
    jars = sorted(p for p in (home / "lib").glob("*.jar") if "table" not in p.name)
    utils = home / "bin" / "bash-java-utils.jar"
    return Flink(java, jars, home / "plugins", utils, job_server)


def _program(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"no `{name}` on the PATH: install {what}")
    return found


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["no message"]
        raise Missing(f"{what} failed: {lines[0].strip()}")


def _fetch_flink(home: Path) -> None:
    work = home.with_name(f".{home.name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    wanted = work / "requirements.txt"
    wanted.write_text(f"apache-flink-libraries=={VERSION} --hash=sha256:{ARCHIVE_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    _run([*pip, "-r", str(wanted), "-d", str(work)], "fetching Flink from PyPI")
    with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
        archive.extractall(work)
    (work / f"apache-flink-libraries-{VERSION}" / "deps").rename(home)
    shutil.rmtree(work)


def _build_job_server(cache: Path, job_server: Path) -> None:
    maven = _program("mvn", "Maven (Debian: maven)")
    work = cache / ".job-server"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copy(POM, work)
    local = f"-Dmaven.repo.local={cache / 'maven'}"
    command = [maven, "-q", "-B", "--strict-checksums", local, "-f", str(work / POM.name)]
    _run([*command, "package"], "building Beam's job server with Maven")
    (work / "target" / "flink-job-server.jar").rename(job_server)
    shutil.rmtree(work)
    shutil.rmtree(cache / "maven")
