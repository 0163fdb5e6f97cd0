"""Errors that may pass: who tries again, and for how long."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.retry import with_exponential_backoff

from elmo_beam.elmo import process
from elmo_beam.transforms import beam_internals
from elmo_beam.transforms.files import retry, storage
from elmo_beam.transforms.files.retry import is_retried, retried
from elmo_beam.transforms.inputs.shards import SourceFile, Unread, stat_shard
from tests.helpers.refusal import refused
from tests.helpers.s3 import s3_server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait of anybody's, none of which takes any time."""
    seen: list[float] = []
    monkeypatch.setattr(time, "sleep", seen.append)
    monkeypatch.setattr(retry, "WAITS", (1.25, 1.5))
    return seen


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A port at which nobody listens, as the store of Beam's S3 in a process of ours."""
    for name in beam_internals.AWS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(process, "_claimed", True)
    before = FileSystems._pipeline_options
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        FileSystems.set_options(
            PipelineOptions(
                s3_endpoint_url=url,
                s3_region_name="us-east-1",
                s3_access_key_id="key",
                s3_secret_access_key="secret",
            )
        )
        yield url
    FileSystems._pipeline_options = before
    for name in beam_internals.AWS:
        monkeypatch.delenv(name, raising=False)


def test_a_store_that_nobody_answers_for_is_named_after_our_own_tries(
    nobody: str, waits: list[float]
) -> None:
    with refused("cannot reach s3://store/in/a.txt", nobody):
        storage.exists("s3://store/in/a.txt")
    assert waits == [1.25, 1.5]
    waits.clear()
    with refused("cannot reach s3://store/in", nobody):
        storage.list_names("s3://store/in")
    assert waits == [1.25, 1.5]
    waits.clear()
    with pytest.raises(Unread, match=nobody):
        stat_shard("s3://store/in/a.txt")
    assert waits == [1.25, 1.5]
    waits.clear()
    with pytest.raises(Unread, match=nobody):
        SourceFile("s3://store/in/a.txt")
    assert waits == [1.25, 1.5]


def test_a_store_that_goes_away_is_named_after_our_own_tries(waits: list[float]) -> None:
    before = FileSystems._pipeline_options
    try:
        with s3_server() as flags:
            FileSystems.set_options(PipelineOptions(flags))
            storage.write_bytes("s3://store/in", "s3://store/in/a.txt", b"text")
            file = SourceFile("s3://store/in/a.txt")
        waits.clear()
        with pytest.raises(Unread, match="http://127"):
            file.read()
    finally:
        FileSystems._pipeline_options = before
    assert [wait for wait in waits if wait in (1.25, 1.5)] == [1.25, 1.5]
    assert all(wait < 5 for wait in waits)  # Beam's first is 5 s or half of it


def test_amazons_client_is_patient_once_only_in_a_process_of_ours(nobody: str) -> None:
    found = beam_internals.filesystem("s3://store/a")
    from apache_beam.io.aws.s3io import S3IO

    config = S3IO(options=found._options).client.client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout < 5


def test_beam_waits_as_ever_where_nobody_else_tries_again(waits: list[float]) -> None:
    beam_internals.leave_retries_to(is_retried)
    tries: list[bool] = []

    @with_exponential_backoff(num_retries=2, initial_delay_secs=7, fuzz=False)
    def fail() -> None:
        tries.append(is_retried())
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        fail()
    assert (tries, waits) == ([False] * 3, [7, 14])
    tries.clear()
    waits.clear()
    with pytest.raises(ConnectionError, match="gone"):
        retried(fail)
    assert (tries, waits) == ([True] * 3, [1.25, 1.5])
    assert not is_retried()


def test_a_try_that_took_too_long_is_the_last(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "DEADLINE", -1.0)
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise OSError(errno.EIO, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        retried(fail)
    assert (tries, waits) == ([1], [])


@pytest.mark.parametrize("name", retry.NO_CREDENTIALS)
def test_missing_credentials_do_not_come_by_waiting(name: str, waits: list[float]) -> None:
    missing = type(name, (Exception,), {})

    def unauthorized() -> None:
        raise missing("no credentials")

    with pytest.raises(missing):
        retried(unauthorized)
    assert waits == []
