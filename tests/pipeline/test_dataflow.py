"""Dataflow as far as no cloud allows: the flags are Beam's, and the graph that they build holds."""

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

from elmo_beam.pipeline.job.pipeline_options import beam_options, is_local
from elmo_beam.transforms.embed_shards import embed_shards
from tests.helpers.command import ROOT
from tests.helpers.blocks import make_settings
from elmo_beam.transforms.files.layout import Layout

PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")


def flags_of_the_page() -> list[str]:
    """What the page tells a user to give to Beam, with names in place of its dots."""
    command = re.findall(r"--runner DataflowRunner.*?\n```", PAGE, re.S)[0]
    words = command.replace("\\\n", " ").replace("```", "").split()
    return ["europe-west1" if word == "…" else word for word in words]


def options() -> PipelineOptions:
    return beam_options(flags_of_the_page(), "embed")


def test_the_flags_of_the_page_are_beams() -> None:
    assert options().view_as(StandardOptions).runner == "DataflowRunner"
    assert not is_local(options())
    assert options().view_as(GoogleCloudOptions).temp_location == "gs://bucket/temp"
    workers = options().view_as(WorkerOptions)
    assert (workers.machine_type, workers.sdk_container_image) == ("n2-standard-8", "IMAGE")
    one_process = "no_use_multiple_sdk_containers"
    assert options().view_as(DebugOptions).lookup_experiment(one_process)


def test_the_graph_that_they_build() -> None:
    # The runner itself asks the cloud for its buckets before it does anything.
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    embed_shards(pipeline, ["gs://b/a.txt"], Layout("gs://b/out"), make_settings())
    built = pipeline.to_runner_api()
    transforms = built.components.transforms
    (root,) = (transforms[name] for name in built.root_transform_ids)
    assert [transforms[name].unique_name for name in root.subtransforms] == [
        "Shards", "SpreadShards", "PlanShards", "SpreadSpans", "ReadSentences", "Embed",
        "WriteBlocks",
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
    packages = {name.name for name in ROOT.iterdir() if (name / "__init__.py").is_file()}
    assert packages - {"tests"} <= set(copied)
