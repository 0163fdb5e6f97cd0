"""The job's graph, as one transform."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from elmo_beam.elmo.arguments import path_text
from elmo_beam.elmo.errors import ArgumentError
from elmo_beam.elmo.formats.handles import StrPath
from elmo_beam.transforms.accounts import Accounts
from elmo_beam.transforms.files.layout import layout_of
from elmo_beam.transforms.files.settings import (
    Settings,
    record_settings,
    recorded_settings,
)
from elmo_beam.transforms.kept_fields import with_field_types
from elmo_beam.transforms.settings_checks import (
    check_settings,
    resolved,
)
from elmo_beam.transforms.steps import ElmoHandler, PlanShards, ReadSentences, WriteBlocks


class EmbedShards(beam.PTransform):
    """Paths of text shards to part files in an output folder; gives the accounts of their blocks.

    Paths are absolute, or URLs. A block that is done already is skipped and gives nothing. The
    folder's run.json is written, or compared with the settings, when the transform is applied.
    `elmo-beam embed` with the same settings and inputs then checks that nothing is missing, and
    writes manifest.json and _SUCCESS.
    """

    def __init__(self, output: StrPath, settings: Settings | None = None) -> None:
        """Read the model, and resolve the settings.

        Args:
            output: a folder or URL that every worker reaches.
            settings: the default ones if None.

        Raises:
            UserError: if the model cannot be read.
            ArgumentError: for settings that cannot be.
        """
        super().__init__()
        given = Settings() if settings is None else settings
        check_settings(given)
        if given.top_words is not None and not given.words:
            raise ArgumentError(
                "`top_words` are counted by the command, or elmo_beam.embed: run that, or give the "
                "list as `words`"
            )
        self._layout = layout_of(path_text("output", output))
        self._settings = given if given.digest else resolved(given)

    def expand(self, paths: beam.PCollection[str]) -> beam.PCollection[Accounts]:
        """The graph."""
        layout = self._layout
        settings = with_field_types(self._settings, (), recorded_settings(layout))
        record_settings(layout, settings)
        return (
            paths
            | "SpreadShards" >> beam.Reshuffle()
            | "PlanShards" >> beam.ParDo(PlanShards(layout, settings))
            | "SpreadSpans" >> beam.Reshuffle()
            | "ReadSentences" >> beam.ParDo(ReadSentences(layout, settings))
            | "Embed" >> RunInference(ElmoHandler(settings))
            | "WriteBlocks" >> beam.ParDo(WriteBlocks(layout, settings))
        )
