"""A run's rows for PyTorch, which is not among the requirements: a dataset, and its batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from elmo_beam.transforms.readers.labels import Labels
from elmo_beam.transforms.readers.run import Run, check_dataset, check_installed


def torch_dataset(run: Run, output: str, labels: Labels | None = None) -> Any:
    """A PyTorch IterableDataset of (vectors, label), or of vectors alone: float32 tensors.

    labels: as for `Run.rows`; raises UserError if a sentence has none. A DataLoader's workers share
    the sentences; `torch_collate` makes its batches. Needs PyTorch.
    """
    check_installed("torch")
    check_dataset(run, output, labels)
    return _rows(run, output, labels)


def _rows(run: Run, output: str, labels: Labels | None) -> Any:
    import torch

    class Rows(torch.utils.data.IterableDataset):
        def __reduce__(self) -> Any:  # spawned workers get it pickled
            return _rows, (run, output, labels)

        def __iter__(self) -> Iterator[Any]:
            worker = torch.utils.data.get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            for vectors, label in itertools.islice(run.rows(output, labels), first, None, step):
                tensor = torch.from_numpy(np.array(vectors, np.float32))
                yield tensor if labels is None else (tensor, label)

    return Rows()


def torch_collate(rows: Sequence[Any]) -> Any:
    """A padded batch of a `torch_dataset`'s rows: ({"vectors", "mask"}, labels), or no labels.

    For a DataLoader's `collate_fn`. vectors: float32 [batch, tokens, dim], zero after a sentence's
    end, with as many tokens as the longest of the batch; mask: bool [batch, tokens]. For `default`
    and for a run of words, vectors alone: float32 [batch, dim]. labels: as PyTorch's own
    `default_collate` makes them, a tensor of numbers, a list of strings.
    """
    from torch.utils.data import default_collate

    if isinstance(rows[0], tuple):
        vectors, labels = zip(*rows, strict=True)
        return _padded(vectors), default_collate(labels)
    return _padded(rows)


def _padded(vectors: Sequence[Any]) -> Any:
    import torch

    if vectors[0].ndim == 1:
        return torch.stack(list(vectors))
    padded = torch.nn.utils.rnn.pad_sequence(list(vectors), batch_first=True)
    lengths = torch.tensor([len(own) for own in vectors])
    return {"vectors": padded, "mask": torch.arange(padded.shape[1]) < lengths[:, None]}
