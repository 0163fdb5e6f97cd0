"""Every name that Beam keeps to itself and that we need all the same.

setup.py bounds Beam's version from above because of these; tests/transforms/test_beam_internals.py
holds each of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.options.value_provider import RuntimeValueProvider
from apache_beam.utils.retry import Clock

from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.process import is_claimed

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.ml.transforms.base import EmbeddingsManager


# Amazon's client tries each request again, too.
AWS = {"AWS_MAX_ATTEMPTS": "1"}
S3_CONNECTIONS = 64  # of a client; further ones would be opened anew, with a warning each
S3_CONNECT_TIMEOUT = 3.0  # seconds, where Amazon's client waits a minute
S3_CLIENTS, S3_CLIENT_AGE = 8, 300  # kept at most; seconds after which another is made


def leave_retries_to(is_retried: Callable[[], bool]) -> None:
    """Where `is_retried` says that somebody tries again, Beam does not: the error goes there.

    Elsewhere Beam waits, for up to nine minutes in all, and calls its filesystem once more.
    """

    def wait(clock: Clock, seconds: float) -> None:
        if is_retried():
            raise  # the error that Beam is handling
        time.sleep(seconds)

    Clock.sleep = wait


def schemes() -> set[str]:
    """The schemes of URLs that Beam has a filesystem for."""
    found = {str(cls.scheme()) for cls in FileSystem.get_all_subclasses() if cls.scheme()}
    return found - {"file"}


def filesystem(path: str) -> FileSystem:
    """Beam's filesystem for a URL, also where nobody has set options, without which some (S3) fail.

    FileSystems.set_options would set them for the caller's whole process.
    """
    if is_claimed():
        for name, value in AWS.items():
            os.environ.setdefault(name, value)
        if path.startswith("s3://"):
            _share_s3_clients()
    found = FileSystems.get_filesystem(path)
    if FileSystems._pipeline_options or RuntimeValueProvider.runtime_options:
        return found
    return type(found)(pipeline_options=PipelineOptions([]))


class _SharedS3Clients:
    """Stands where Beam's S3 filesystem has boto3: one client for all calls with the same options.

    Beam makes one for each call, and making one takes up to 0.3 s of processor time. Threads may
    share one. It is made anew now and then, since credentials may have been renewed.
    """

    def __init__(self, boto3: Any) -> None:
        self.boto3, self.session = boto3, SimpleNamespace(Session=lambda: self)
        self._made = lru_cache(S3_CLIENTS)(self._make)

    def client(self, **options: Any) -> Any:
        return self._made(int(time.monotonic() // S3_CLIENT_AGE), **options)

    def _make(self, _: int, **options: Any) -> Any:
        from botocore.config import Config

        config = Config(max_pool_connections=S3_CONNECTIONS, connect_timeout=S3_CONNECT_TIMEOUT)
        return self.boto3.session.Session().client(config=config, **options)


def _share_s3_clients() -> None:
    """Have Beam's S3 filesystem share clients in this process."""
    from apache_beam.io.aws.clients.s3 import boto3_client

    found = boto3_client.boto3  # None without the extra: Beam says so
    if found is not None and not isinstance(found, _SharedS3Clients):
        boto3_client.boto3 = _SharedS3Clients(found)


def text_columns_inference(manager: EmbeddingsManager) -> beam.PTransform:
    """RunInference over dictionaries or rows, as Beam's own text embeddings run it."""
    from apache_beam.ml.inference.base import RunInference
    from apache_beam.ml.transforms.base import _TextEmbeddingHandler

    return RunInference(_TextEmbeddingHandler(manager))


def flink_job_name(result: Any) -> str:
    """The name that Flink knows a submitted pipeline by: Beam's id without the random UUID."""
    return str(result._job_id).rpartition("_")[0]


def unknown_flags(flags: list[str]) -> tuple[list[str], list[str]]:
    """Those of the flags that Beam does not know, and all flags that it does.

    PipelineOptions drops unknown ones without a word. Raises ArgumentError for a value that a flag
    of Beam's cannot have.
    """
    parser = _BeamArgumentParser(allow_abbrev=False, add_help=False)
    for cls in sorted(_subclasses(PipelineOptions), key=lambda c: str(c.__name__)):
        if "_add_argparse_args" in cls.__dict__:
            add = cls._add_argparse_args  # type: ignore[attr-defined]
            with contextlib.suppress(Exception):  # two classes may define the same flag
                add(parser)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            _, rest = parser.parse_known_args(flags)
    except SystemExit:
        message = errors.getvalue().strip().splitlines()[-1].split("error: ")[-1]
        raise ArgumentError(f"{message} (a flag of Beam's)") from None
    return rest, sorted(parser._option_string_actions)


def _subclasses(cls: type) -> set[type]:
    found: set[type] = set()
    subclasses: list[type] = cls.__subclasses__()
    for sub in subclasses:
        found |= {sub, *_subclasses(sub)}
    return found
