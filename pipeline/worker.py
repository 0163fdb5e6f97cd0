"""`elmo-beam-worker`: a Beam worker process, for clusters that start their workers themselves.

For Beam's environment_type=PROCESS: a runner runs the command that environment_config names, with
the flags of Beam's container contract (the Fn API's "SDK harness container contract"), and expects
it to become the worker.
"""

from __future__ import annotations

import argparse
import os
import sys

# Beam's worker. Like `python -m`, -c searches the current folder first, where any file may have the
# name of a module: it is removed. The worker ends when the process that started it does; left to
# itself, Beam takes a while to notice.
HARNESS = """
import sys
sys.path[:] = [p for p in sys.path if p]
import os, runpy, threading, time

def watch(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)

threading.Thread(target=watch, args=[os.getppid()], daemon=True).start()
runpy.run_module("apache_beam.runners.worker.sdk_worker_main", run_name="__main__")
"""


def main() -> None:
    """Ask the runner for the pipeline's options, and serve until it has no more work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    for flag in ("id", "provision_endpoint"):
        parser.add_argument(f"--{flag}", required=True)
    for flag in ("control_endpoint", "logging_endpoint", "artifact_endpoint"):
        parser.add_argument(f"--{flag}", default="")
    args = parser.parse_args()

    import grpc
    from apache_beam.portability.api import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
        endpoints_pb2,
    )
    from google.protobuf import json_format, text_format

    with grpc.insecure_channel(args.provision_endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = stub.GetProvisionInfo(request, metadata=[("worker_id", args.id)]).info

    def descriptor(given: str, provided: str) -> str:
        return text_format.MessageToString(
            endpoints_pb2.ApiServiceDescriptor(url=provided or given)
        )

    os.environ.update(
        WORKER_ID=args.id,
        PIPELINE_OPTIONS=json_format.MessageToJson(info.pipeline_options),
        CONTROL_API_SERVICE_DESCRIPTOR=descriptor(args.control_endpoint, info.control_endpoint.url),
        LOGGING_API_SERVICE_DESCRIPTOR=descriptor(args.logging_endpoint, info.logging_endpoint.url),
        RUNNER_CAPABILITIES=" ".join(info.runner_capabilities),
    )
    os.execv(sys.executable, [sys.executable, "-c", HARNESS])


if __name__ == "__main__":
    main()
