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
from functools import cache
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


S3_CONNECTIONS = 64  # of a client; further ones would be opened anew, with a warning each

# Amazon's client tries each request again, too, and waits a minute for a connection.
AWS = {"AWS_MAX_ATTEMPTS": "1"}
CONNECT_TIMEOUT = 3.0  # seconds


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
    found = FileSystems.get_filesystem(path)
    if found.scheme() == "s3":
        _share_s3_clients()
    if FileSystems._pipeline_options or RuntimeValueProvider.runtime_options:
        return found
    return type(found)(pipeline_options=PipelineOptions([]))


@cache
def _share_s3_clients() -> None:
    """Have Beam's S3 filesystem make one client for the same options, and not one for each call.

    To make one takes up to 0.3 s of processor time. Threads may use one at the same time.
    """
    from apache_beam.io.aws.clients.s3 import boto3_client

    if boto3_client.boto3 is None:
        return  # Beam says what is missing
    from botocore.config import Config

    new_session = boto3_client.boto3.session.Session

    @cache
    def client(**options: Any) -> Any:
        timeout = {"connect_timeout": CONNECT_TIMEOUT} if is_claimed() else {}
        config = Config(max_pool_connections=S3_CONNECTIONS, **timeout)
        return new_session().client(config=config, **options)

    session = SimpleNamespace(client=client)
    boto3_client.boto3 = SimpleNamespace(session=SimpleNamespace(Session=lambda: session))


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
