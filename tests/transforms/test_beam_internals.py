"""What Beam keeps to itself and we use all the same: each use of it does what it is for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import boto3
import numpy as np
import pytest
from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.io.aws.s3io import S3IO
from apache_beam.io.filesystems import FileSystems
from apache_beam.testing.util import assert_that, equal_to

from elmo_beam.elmo import process
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.transforms.beam_internals import (
    S3_CLIENT_AGE,
    filesystem,
    text_columns_inference,
    unknown_flags,
)
from elmo_beam.transforms.inference import ElmoEmbeddings
from tests.helpers.blocks import local_pipeline, tiny_model
from tests.helpers.encoders import shared
from tests.helpers.refusal import refused
from tests.helpers.s3 import s3_in_this_process

KNOWN = ["--flink_master", "--direct_num_workers", "--runner", "--s3_region_name", "--job_name"]


def test_flags_that_beam_knows_are_known_and_others_are_named() -> None:
    flags = ["--flink_master=host:8081", "--direct_num_workers", "2", "--runner=FlinkRunner"]
    rest, known = unknown_flags(flags)
    assert rest == []
    assert set(KNOWN) <= set(known)
    assert known == sorted(known)
    assert len(known) > 100
    assert unknown_flags([*flags, "--flink_mastre=x"])[0] == ["--flink_mastre=x"]
    assert unknown_flags(["--flink_mas=x", "stray"])[0] == ["--flink_mas=x", "stray"]


@pytest.mark.parametrize("flags", [["--direct_num_workers=x"], ["--direct_num_workers", "x"]])
def test_a_value_that_a_flag_of_beams_cannot_have_is_refused(
    flags: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ArgumentError) as caught:
        unknown_flags(flags)
    with refused("--direct_num_workers", "'x'", "a flag of Beam's"):
        raise caught.value
    assert capfd.readouterr() == ("", "")


def test_text_columns_are_replaced_by_what_the_handler_gives(model_folder: Path) -> None:
    encoder = shared(tiny_model(model_folder))
    texts = {"a": "one two", "b": "three"}
    want = [encoder.encode([text.split()], ["default"])["default"][0] for text in texts.values()]
    manager = ElmoEmbeddings(["a", "b"], model=str(model_folder))

    def compared(row: dict[str, Any]) -> tuple[int, bool]:
        found = [np.array(row[name]) for name in texts]
        return row["n"], all(np.allclose(f, w, atol=1e-5) for f, w in zip(found, want, strict=True))

    with local_pipeline() as pipeline:
        rows = pipeline | beam.Create([{"n": 7, **texts}]) | text_columns_inference(manager)
        assert_that(rows | beam.Map(compared), equal_to([(7, True)]))


def test_calls_to_a_store_share_a_client_and_another_store_has_another() -> None:
    clients: list[Any] = []
    for content in (b"one", b"two"):
        with s3_in_this_process() as bucket:
            for name in ("a", "b"):
                address = f"{bucket}/{name}"
                with filesystem(address).create(address) as file:
                    file.write(content)
                assert filesystem(address).open(address).read() == content
                clients.append(S3IO(options=FileSystems._pipeline_options).client.client)
    assert clients[0] is clients[1]
    assert clients[2] is clients[3]
    assert clients[0] is not clients[2]


def test_a_client_lives_for_minutes_and_a_users_own_process_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boto3_client, "boto3", boto3)
    with s3_in_this_process() as bucket:
        monkeypatch.setattr(process, "_claimed", False)
        filesystem(bucket).exists(f"{bucket}/a")
        assert boto3_client.boto3 is boto3
        monkeypatch.setattr(process, "_claimed", True)
        clients = []
        for seconds in (0.0, S3_CLIENT_AGE - 1.0, S3_CLIENT_AGE + 1.0):
            monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: seconds)
            filesystem(bucket)
            clients.append(S3IO(options=FileSystems._pipeline_options).client.client)
    assert clients[0] is clients[1]
    assert clients[1] is not clients[2]
