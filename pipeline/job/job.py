"""A job as data: what the command line and `elmo_beam.embed` both build."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from elmo_beam.transforms.files.settings import Settings


@dataclass(frozen=True)
class Job:
    """Everything that `run_job` needs to know.

    inputs: paths, globs and URLs. output: a folder or URL. overwrite: remove an earlier run first.
    beam_flags: for Beam's pipeline options, as on a command line.
    """

    inputs: tuple[str, ...]
    output: str
    settings: Settings
    overwrite: bool = False
    beam_flags: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The job for another process."""
        return json.dumps({**asdict(self), "settings": self.settings.to_json()})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` gave."""
        d = json.loads(text)
        return cls(
            inputs=tuple(d["inputs"]),
            output=d["output"],
            settings=Settings.from_json(d["settings"]),
            overwrite=d["overwrite"],
            beam_flags=tuple(d["beam_flags"]),
        )
