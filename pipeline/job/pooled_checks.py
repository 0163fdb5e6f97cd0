"""What `verify` checks of a pooled run beyond any other: its parts' rows, and words.parquet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elmo_beam.elmo.errors import cause_of
from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.job.pooling import digest_of_parts
from elmo_beam.pipeline.job.state import RunState
from elmo_beam.transforms.files.layout import Layout
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import exists, local_copy
from elmo_beam.transforms.readers.pooled_words import merged, parts_of
from elmo_beam.transforms.readers.run import open_run


def word_complaints(layout: Layout, state: RunState) -> Iterator[str]:
    """What is wrong with the words.parquet of a complete run, whose parts are as accounted."""
    redo = "remove it and run the command again"
    path, run = layout.words, open_run(layout.root, allow_incomplete=True)
    if not exists(path):
        yield f"{path} is missing: run the command again"
        return
    try:
        with local_copy(path) as local:
            file = pq.ParquetFile(local, page_checksum_verification=True)
            groups = 0
            for groups, right in enumerate(merged(run), 1):
                own = file.read_row_group(groups - 1) if groups <= file.num_row_groups else None
                if own is None or not _alike(own, right):
                    yield f"{path} is not what the parts add up to: {redo}"
                    return
            if file.num_row_groups != groups or parts_of(run) != digest_of_parts(state):
                yield f"{path} is not what the parts add up to: {redo}"
    except Exception as error:  # the reader raises its own
        yield f"{path} cannot be read ({cause_of(error)}): {redo}"


def _alike(own: pa.Table, right: pa.Table) -> bool:
    """Whether two tables have the same words, and the same figures but for rounding."""
    if own.schema.remove_metadata() != right.schema or own.num_rows != right.num_rows:
        return False
    plain = ["word", "count"]
    if not own.select(plain).replace_schema_metadata(None).equals(right.select(plain)):
        return False
    return all(
        np.allclose(_flat(own, name), _flat(right, name), rtol=1e-6, atol=1e-12)
        for name in right.column_names[2:]
    )


def pooled_complaints(table: pa.Table, settings: Settings, occurrences: int) -> Iterator[str]:
    """What is wrong with a part of a pooled run, in which so many occurrences are pooled."""
    places = pc.index_in(table["word"], pa.array(settings.words))
    if places.null_count:
        yield "has words that its run does not look for"
        return
    if (np.diff(np.asarray(places)) <= 0).any():
        yield "has rows out of order, or twice"
    counts = np.asarray(table["count"])[:, np.newaxis]
    if (counts < 1).any():
        yield "has words that do not occur"
    if int(counts.sum()) != occurrences:
        yield (
            f"has {counted(int(counts.sum()), 'occurrence')} of words, its accounts {occurrences:,}"
        )
    for name in settings.outputs:
        sums, squares = (_flat(table, f"{name}_{figure}") for figure in ("sum", "squares"))
        if not (np.isfinite(sums).all() and np.isfinite(squares).all()):
            yield f"has {name} values that are not finite"
            continue
        sums, squares = (flat.reshape(len(counts), -1) for flat in (sums, squares))
        # The mean of squares is never less than the square of the mean, but for rounding.
        if (squares * counts * (1 + 1e-9) < sums * sums).any():
            yield f"has sums of {name} and of its squares that do not belong together"


def _flat(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].combine_chunks().flatten())
