"""The job's graph."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from transforms.layout import Layout
from transforms.settings import Settings
from transforms.steps import ElmoHandler, PlanShards, ReadSentences, WriteBlocks


def embed_shards(
    pipeline: beam.Pipeline, shards: list[str], layout: Layout, settings: Settings
) -> beam.PCollection:
    """Shards to part files; gives the accounts of the blocks that were not done yet."""
    return (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "SpreadShards" >> beam.Reshuffle()
        | "PlanShards" >> beam.ParDo(PlanShards(layout, settings))
        | "SpreadSpans" >> beam.Reshuffle()
        | "ReadSentences" >> beam.ParDo(ReadSentences(layout, settings))
        | "Embed" >> RunInference(ElmoHandler(settings))
        | "WriteBlocks" >> beam.ParDo(WriteBlocks(layout, settings))
    )
