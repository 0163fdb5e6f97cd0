"""words.parquet: the mean and variance of each word's vectors over a pooled run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.transforms.files.storage import exists, local_copy, new_file
from elmo_beam.transforms.outputs.parquet import parquet_writer
from elmo_beam.transforms.outputs.schema import one_vector_column, words_schema
from elmo_beam.transforms.readers.run import Run, damage_explained
from elmo_beam.transforms.words.pool import zeros_on_disk

CHUNK_BYTES = 32 << 20  # of the rows that are in memory at once
PARTS = b"elmo_beam_parts"  # in the file's metadata: of which parts it is


def pooled_words(run: Run) -> pa.Table:
    """The words that occur, in the list's order: word, count and, of each output, its figures.

    `NAME_mean` and `NAME_variance` are `fixed_size_list<float32, dim>`; the variance is the
    population's. Raises ArgumentError if the run is not pooled, UserError if it is not complete.
    """
    return pa.Table.from_batches(
        [batch for table in read_words(run) for batch in table.to_batches()],
        schema=words_schema(run.settings),
    )


def read_words(run: Run, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The same in chunks, all columns or some."""
    if not isinstance(run, Run) or not run.settings.pool:
        raise ArgumentError("`run` is not a pooled run: embed with `pool` word")
    path = run.layout.words
    if not run.complete or not exists(path):
        raise UserError(f"there is no {path} yet: the same command as before makes it")
    with local_copy(path) as local, damage_explained(path), pq.ParquetFile(local) as file:
        for i in range(file.num_row_groups):
            yield file.read_row_group(i, columns).replace_schema_metadata(None)


def write_words(run: Run, parts: str, progress: Callable[[int, int], None]) -> None:
    """Write words.parquet, whole or not at all. parts: what says of which parts it is.

    progress: called with the number of parts read, and of all.
    """
    schema = words_schema(run.settings).with_metadata({PARTS: parts})
    with (
        new_file(run.layout.root, run.layout.words) as temporary,
        open(temporary, "wb") as sink,
        parquet_writer(sink, schema, run.settings) as writer,
    ):
        for table in merged(run, progress):
            writer.write_table(table)  # a row group


def parts_of(run: Run) -> str | None:
    """What the words.parquet on record says of its parts; None if there is none to be read."""
    if not exists(run.layout.words):
        return None
    try:
        with local_copy(run.layout.words) as local:
            metadata = pq.read_schema(local).metadata or {}
            return metadata.get(PARTS, b"").decode()
    except (pa.ArrowException, OSError):
        return None


def merged(
    run: Run, progress: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[pa.Table]:
    """What the parts add up to, in tables of a few thousand words.

    Sums are float64, in the parts' order, in files mapped into memory.
    """
    settings = run.settings
    words = pa.array(settings.words, pa.string())
    counts = np.zeros(len(words), np.int64)
    for table in _parts(run, ["word", "count"]):
        counts[_places(table, words)] += np.asarray(table["count"])
    used = np.flatnonzero(counts)
    rows_of = np.cumsum(counts > 0) - 1
    totals = {name: zeros_on_disk(len(used), run.dim(name)) for name in settings.outputs}
    for table in _parts(run, None, progress):
        rows = rows_of[_places(table, words)]
        for name, both in totals.items():
            for total, figure in zip(both, ("sum", "squares"), strict=True):
                flat = table[f"{name}_{figure}"].combine_chunks().flatten()
                total[rows] += np.asarray(flat).reshape(len(rows), -1)
    schema = words_schema(settings)
    step = _rows_at_once(schema)
    for begin in range(0, len(used), step):
        some, n = used[begin : begin + step], counts[used[begin : begin + step], np.newaxis]
        columns: list[pa.Array] = [words.take(pa.array(some)), pa.array(n[:, 0])]
        for sums, squares in totals.values():
            mean = sums[begin : begin + step] / n
            variance = np.maximum(squares[begin : begin + step] / n - mean * mean, 0.0)
            columns += [one_vector_column(figure, "float32") for figure in (mean, variance)]
        yield pa.table(columns, schema=schema)


def _places(table: pa.Table, words: pa.Array) -> np.ndarray:
    return np.asarray(pc.index_in(table["word"], words))


def _parts(
    run: Run,
    columns: list[str] | None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[pa.Table]:
    """The rows of all parts in order, a part in several tables if it is large."""
    paths = list(run.part_paths())
    for i, path in enumerate(paths):
        progress(i, len(paths))
        with (
            local_copy(path) as local,
            damage_explained(path),
            pq.ParquetFile(local, page_checksum_verification=True) as file,
        ):
            for batch in file.iter_batches(_rows_at_once(file.schema_arrow), columns=columns):
                yield pa.Table.from_batches([batch])


def _rows_at_once(schema: pa.Schema) -> int:
    """How many rows of these columns may be in memory."""
    widths = [
        field.type.list_size * field.type.value_type.bit_width // 8
        for field in schema
        if pa.types.is_fixed_size_list(field.type)
    ]
    return max(1, CHUNK_BYTES // max(1, sum(widths)))
