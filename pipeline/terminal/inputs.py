"""The input files that a command names."""

from __future__ import annotations

from collections.abc import Sequence

from elmo_beam.elmo.wording import listed
from elmo_beam.pipeline.terminal.console import say
from elmo_beam.transforms.inputs.expand import expand_inputs


def input_files(patterns: Sequence[str], output: str | None) -> list[str]:
    """Absolute paths and URLs, sorted; says which others are left out. Raises UserError."""
    inputs = expand_inputs(patterns, output)
    if inputs.others:
        say(
            f"each file is read once: {len(inputs.others):,} other paths to the same files are "
            f"left out ({listed(inputs.others, 3)})"
        )
    return inputs.paths
