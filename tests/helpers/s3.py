"""A real S3 server on loopback (moto's), and Beam's flags for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from moto.server import ThreadedMotoServer

from elmo_beam.elmo import process
from elmo_beam.transforms.beam_internals import AWS

BUCKET = "store"


@contextmanager
def s3_server() -> Iterator[list[str]]:
    """A server with one empty bucket, `s3://store`; the flags that lead Beam to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="key", aws_secret_access_key="secret",
        ).create_bucket(Bucket=BUCKET)  # fmt: skip
        yield [
            f"--s3_endpoint_url={url}",
            "--s3_region_name=us-east-1",
            "--s3_access_key_id=key",
            "--s3_secret_access_key=secret",
        ]
    finally:
        server.stop()


@contextmanager
def s3_in_this_process() -> Iterator[str]:
    """The address of an empty bucket that Beam reaches from this process, as from a command's."""
    before = FileSystems._pipeline_options
    with s3_server() as flags, pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_claimed", True)
        for name, value in AWS.items():
            patch.setenv(name, value)
        FileSystems.set_options(PipelineOptions(flags))
        try:
            yield f"s3://{BUCKET}"
        finally:
            FileSystems._pipeline_options = before
