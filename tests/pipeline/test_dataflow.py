"""Dataflow, as far as it can be tested without a cloud: Beam's flags, and the job's graph."""

from __future__ import annotations

import re

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from elmo_beam import EmbedShards
from elmo_beam.pipeline.job.pipeline_options import is_local, pipeline_options
from tests.helpers.blocks import make_settings
from tests.helpers.command import ROOT
from tests.helpers.memory_files import FILES

PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")


def flags_of_the_page() -> list[str]:
    """The flags for Beam that the page names, with values in place of its dots."""
    command = re.findall(r"--runner DataflowRunner.*?\n```", PAGE, re.S)[0]
    words = command.replace("\\\n", " ").replace("```", "").split()
    return ["europe-west1" if word == "…" else word for word in words]


def options() -> PipelineOptions:
    return pipeline_options(flags_of_the_page())


def test_the_flags_of_the_page_are_beams() -> None:
    assert options().view_as(StandardOptions).runner == "DataflowRunner"
    assert not is_local(options())
    assert options().view_as(GoogleCloudOptions).temp_location == "gs://bucket/temp"
    workers = options().view_as(WorkerOptions)
    assert (workers.machine_type, workers.sdk_container_image) == ("n2-standard-8", "IMAGE")
    one_process = "no_use_multiple_sdk_containers"
    assert options().view_as(DebugOptions).lookup_experiment(one_process)


def test_the_graph_that_they_build() -> None:
    # Dataflow's own runner asks the cloud for its buckets before it does anything.
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    shards = pipeline | "Shards" >> beam.Create(["gs://b/a.txt"])
    shards | "Job" >> EmbedShards("memory://b/out", make_settings())
    FILES.clear()
    transforms = pipeline.to_runner_api().components.transforms
    (job,) = (t for t in transforms.values() if t.unique_name == "Job")
    assert [transforms[name].unique_name for name in job.subtransforms] == [
        f"Job/{step}"
        for step in (
            "SpreadShards", "PlanShards", "SpreadSpans", "ReadSentences", "Embed", "WriteBlocks"
        )
    ]  # fmt: skip


def test_the_image_has_beam_as_the_lock_has_it_and_copies_what_there_is() -> None:
    recipe = (ROOT / "scripts" / "Dockerfile").read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"^apache-beam==(\S+)", lock, re.M)
    assert re.findall(r"^FROM .*:(\S+)$", recipe, re.M) == [version]
    copied = [
        name for line in re.findall(r"^COPY (.+) /\S+$", recipe, re.M) for name in line.split()
    ]
    assert copied and all((ROOT / name).exists() for name in copied if not name.startswith("$"))
    package = (ROOT / "src" / "elmo_beam").iterdir()
    linked = {path.readlink().name for path in package if path.is_symlink()}
    assert linked and {"src", *linked} <= set(copied)
