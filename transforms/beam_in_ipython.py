"""Beam's pipelines in IPython and Jupyter, whatever pandas is installed.

There, Beam puts the cell's number before the label of each step, for its interactive runner, whose
import fails without pandas and with pandas 3 (`type object 'DataFrame' has no attribute 'first'`);
so `pipeline | beam.Create(…)` fails whatever runner the pipeline has. Where that import fails there
is no interactive runner to label steps for, and they keep their labels.
"""

from __future__ import annotations

from typing import Any

from wrapt import when_imported


@when_imported("apache_beam.pipeline")
def keep_labels_if_not_interactive(pipeline: Any) -> None:
    """Let steps keep their labels where Beam's interactive runner cannot be imported."""
    alter_label = pipeline.alter_label_if_ipython

    def alter_label_if_interactive(transform: Any, pvalueish: Any) -> None:
        try:
            alter_label(transform, pvalueish)
        except (ImportError, AttributeError):
            # The import is slow, and would fail again at the next step.
            pipeline.alter_label_if_ipython = lambda transform, pvalueish: None

    pipeline.alter_label_if_ipython = alter_label_if_interactive
