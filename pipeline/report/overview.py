"""A run in the terminal: accounts, settings, columns and some rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elmo_beam.elmo.wording import listed
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.session import Session
from elmo_beam.pipeline.job.state import read_state
from elmo_beam.pipeline.job.summary import summary
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.readers.pooled_words import read_words
from elmo_beam.transforms.readers.run import Run

MOST = 20  # words of a list shown


def overview(run: Run, rows: int) -> Iterator[str]:
    """The lines to show."""
    state = read_state(run.layout, run.settings, run.plans)
    yield from summary(run.layout, state, Session(), verbose=False)
    yield from (f"  ! {line}" for line in problems(state))
    yield from _settings(run.settings)
    yield from _schema_and_rows(run, rows)


def _settings(settings: Settings) -> Iterator[str]:
    yield "settings"
    document = settings.to_json()
    names = [name for name in document if name not in ("options", "digest")]
    width = max(map(len, names))
    for name in names:
        value = document[name]
        yield f"  {name:<{width}}  {listed(value, MOST) if isinstance(value, list) else value}"
    yield f"  {'digest':<{width}}  {settings.digest} (of the model)"


def _schema_and_rows(run: Run, rows: int) -> Iterator[str]:
    tables = read_words(run) if run.settings.pool and run.complete else run.tables()
    table = next((table for table in tables if table.num_rows), None)
    if table is None:
        return
    yield "columns"
    width = max(map(len, table.schema.names))
    for name in table.schema.names:
        yield f"  {name:<{width}}  {table.schema.field(name).type}"
    yield "rows"
    for i in range(min(rows, table.num_rows)):
        yield "  " + ", ".join(f"{n} {_shown(table[n][i].as_py())}" for n in table.schema.names)


def _shown(value: object) -> str:
    """A value in a few characters: a vector by its shape and first numbers."""
    if isinstance(value, list | np.ndarray) and len(value) and not isinstance(value[0], str):
        array = np.asarray(value, np.float32)
        head = " ".join(f"{x:.3f}" for x in array.reshape(-1)[:3])
        return f"{list(array.shape)} [{head} …]"
    if isinstance(value, list):
        return f"[{' '.join(value[:12])}{' …' if len(value) > 12 else ''}]"
    text = str(value)
    if isinstance(value, str):
        return f"'{text if len(text) <= 60 else text[:59] + '…'}'"
    return text
