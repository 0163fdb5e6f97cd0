"""A run read back: the same numbers as the part files hold, in the input's order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from elmo_beam import Run, open_run, tf_dataset, torch_collate, torch_dataset
from tests.helpers.command import SMALL, Job, random_lines, read_rows, vectors
from tests.helpers.refusal import refused

OUTPUTS = ("word_emb", "elmo", "default")
FLAGS = ("--block_size", "1k", "--outputs", ",".join(OUTPUTS), "--id_field", "key")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Job]:
    """The same two shards in both formats; names that sort differently from their hashes."""
    jobs = {}
    for name in ("parquet", "tfrecord"):
        job = Job(tmp_path_factory.mktemp(name), model)
        for shard in ("b", "a"):
            lines = random_lines(60, seed=ord(shard)).splitlines()
            records = [json.dumps({"text": t, "key": f"{shard}{i}"}) for i, t in enumerate(lines)]
            job.file(f"{shard}.jsonl", "\n".join([*records, "bad"]))
        job.embed(*FLAGS, "--format", name).succeeds()
        jobs[name] = job
    return jobs


@pytest.fixture(params=["parquet", "tfrecord"])
def run(request: pytest.FixtureRequest, written: dict[str, Job]) -> Run:
    return open_run(str(written[request.param].out))


@pytest.fixture
def rows(written: dict[str, Job]) -> pa.Table:
    """All rows by pyarrow, in the input's order."""
    table = read_rows(written["parquet"].out)
    return table.sort_by([("shard", "ascending"), ("line", "ascending")])


def lengths(rows: pa.Table) -> np.ndarray:
    return np.asarray(rows["num_tokens"].combine_chunks())


@pytest.mark.parametrize("output", OUTPUTS)
def test_arrays_are_the_parts_numbers(run: Run, rows: pa.Table, output: str) -> None:
    got, offsets = run.arrays(output)
    want = vectors(rows, output)
    assert got.dtype == np.float32 and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
    each = np.ones(120, int) if output == "default" else lengths(rows)
    assert offsets.tolist() == [0, *np.cumsum(each).tolist()]


def test_tables_have_the_columns_asked_for(run: Run, rows: pa.Table) -> None:
    table = pa.concat_tables(run.tables(["offset", "tokens"]))
    assert table.column_names == ["offset", "tokens"]
    assert table["tokens"].to_pylist() == rows["tokens"].to_pylist()
    assert table["offset"].to_pylist() == rows["offset"].to_pylist()
    assert len(list(run.tables())) > 4
    with refused("no column 'elmos'", "default"):
        list(run.tables(["elmos"]))


def test_a_data_frame(run: Run, rows: pa.Table) -> None:
    frame = run.dataframe(["num_tokens", "default"])
    assert list(frame.columns) == ["num_tokens", "default"]
    np.testing.assert_allclose(np.stack(frame["default"]), vectors(rows, "default"), atol=1e-6)


def labels_of(run: Run, rows: pa.Table) -> dict[Any, int]:
    """A label for each row, by the key that the format keeps."""
    if run.settings.format == "parquet":
        return {key: i for i, key in enumerate(rows["id"].to_pylist())}
    names = [name.replace("/parquet", "/tfrecord") for name in rows["shard"].to_pylist()]
    folder = Path(run.shards[0]).parent
    names = [str(folder / Path(name).name) for name in names]
    return {key: i for i, key in enumerate(zip(names, rows["offset"].to_pylist(), strict=True))}


@pytest.mark.parametrize("output", OUTPUTS)
def test_padded_batches_with_labels(run: Run, rows: pa.Table, output: str) -> None:
    want, sizes, seen = vectors(rows, output), lengths(rows), 0
    starts = np.cumsum([0, *sizes])
    for features, label in tf_dataset(run, output, 16, labels_of(run, rows)):
        assert label.numpy().tolist() == list(range(seen, seen + len(label)))
        if output == "default":
            np.testing.assert_allclose(features, want[seen : seen + len(label)], atol=1e-6)
        else:
            for i in range(len(label)):
                mask = features["mask"][i].numpy()
                assert mask.tolist() == [j < sizes[seen + i] for j in range(len(mask))]
                own = want[starts[seen + i] : starts[seen + i + 1]]
                got = features["vectors"][i].numpy()
                np.testing.assert_allclose(got[mask], own, rtol=0, atol=1e-6)
                assert not got[~mask].any()
        seen += len(label)
    assert seen == 120


def test_batches_without_labels(run: Run) -> None:
    shapes = [batch["vectors"].shape for batch in tf_dataset(run, "word_emb", 50)]
    assert [s[0] for s in shapes] == [50, 50, 20]
    assert {s[2] for s in shapes} == {SMALL.projection_dim}


@pytest.mark.parametrize("workers", [0, 2])
def test_pytorch_gets_each_sentence_once(run: Run, rows: pa.Table, workers: int) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    want, starts = vectors(rows, "elmo"), np.cumsum([0, *lengths(rows)])
    dataset = torch_dataset(run, "elmo", labels_of(run, rows))
    seen = []
    for tensor, label in data.DataLoader(dataset, batch_size=None, num_workers=workers):
        own = want[starts[label] : starts[label + 1]]
        np.testing.assert_allclose(tensor.numpy(), own, rtol=0, atol=1e-6)
        seen.append(label)
    assert sorted(seen) == list(range(120))
    if not workers:
        assert seen == sorted(seen)
    assert len(list(torch_dataset(run, "default"))) == 120


@pytest.mark.parametrize("workers", [0, 2])
def test_pytorch_gets_padded_batches(run: Run, rows: pa.Table, workers: int) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    want, starts = vectors(rows, "elmo"), np.cumsum([0, *lengths(rows)])
    dataset, seen = torch_dataset(run, "elmo", labels_of(run, rows)), []
    loader = data.DataLoader(dataset, 16, collate_fn=torch_collate, num_workers=workers)
    for features, labels in loader:
        got, mask = features["vectors"].numpy(), features["mask"].numpy()
        sizes = [int(starts[label + 1] - starts[label]) for label in labels]
        assert (got.dtype, got.shape) == (np.float32, (len(labels), max(sizes), want.shape[1]))
        assert mask.tolist() == [[j < size for j in range(max(sizes))] for size in sizes]
        for i, label in enumerate(labels.tolist()):
            own = want[starts[label] : starts[label + 1]]
            np.testing.assert_allclose(got[i][mask[i]], own, rtol=0, atol=1e-6)
        assert not got[~mask].any()
        seen += labels.tolist()
    assert sorted(seen) == list(range(120))


def test_pytorch_batches_of_one_vector_a_row_and_without_labels(run: Run, rows: pa.Table) -> None:
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    scores = {key: f"label {i}" for key, i in labels_of(run, rows).items()}
    dataset = torch_dataset(run, "default", scores)
    batches = list(data.DataLoader(dataset, 50, collate_fn=torch_collate))
    means = np.concatenate([features.numpy() for features, _ in batches])
    np.testing.assert_allclose(means, vectors(rows, "default"), rtol=0, atol=1e-6)
    assert [label for _, labels in batches for label in labels] == list(scores.values())
    loader = data.DataLoader(torch_dataset(run, "word_emb"), 50, collate_fn=torch_collate)
    assert [len(batch["mask"]) for batch in loader] == [50, 50, 20]


def test_labels_by_shard_and_line(written: dict[str, Job], model: Path, tmp_path: Path) -> None:
    job = Job(tmp_path, model)
    path = job.file("a.txt", "One two. Three four.\n\nFive.\n")
    job.embed("--split_sentences", "--outputs", "default").succeeds()
    run = open_run(str(job.out))
    labels: dict[Any, str] = {(str(path), 0): "first", (str(path), 2): "last"}
    assert [label for _, label in run.rows("default", labels)] == ["first", "first", "last"]
    del labels[str(path), 2]
    with refused("no label for", "a.txt", "2"):
        list(run.rows("default", labels))


def test_labels_of_any_number(run: Run, rows: pa.Table) -> None:
    scores = {key: 1 if i == 0 else i / 8 for key, i in labels_of(run, rows).items()}
    found = [label.numpy() for _, label in tf_dataset(run, "default", 50, scores)]
    np.testing.assert_allclose(np.concatenate(found), list(scores.values()))


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda labels: {}, ("labels is empty",)),
        (lambda labels: [1], ("`labels` must map",)),
        (lambda labels: dict(list(labels.items())[:-1]), ("no label for", "every row's key")),
        (lambda labels: {key: [0] * (n % 2) for key, n in labels.items()}, ("of one shape",)),
        (lambda labels: dict.fromkeys(labels), ("`labels` must be numbers or strings",)),
    ],
)
def test_labels_that_are_refused_before_anything_is_read(
    run: Run, rows: pa.Table, change: Callable[[dict[Any, int]], Any], parts: tuple[str, ...]
) -> None:
    labels = change(labels_of(run, rows))
    with refused(*parts):
        tf_dataset(run, "default", 50, labels)
    if not isinstance(labels, dict) or len(labels) < 120:
        pytest.importorskip("torch", reason="PyTorch is not installed")
        with refused(*parts):
            torch_dataset(run, "default", labels)


def test_a_part_that_is_damaged(written: dict[str, Job], tmp_path: Path) -> None:
    for name, job in written.items():
        copy = shutil.copytree(job.out, tmp_path / name)
        part = sorted((copy / "parts").iterdir())[0]
        part.write_bytes(part.read_bytes()[:-40])
        with refused(part, "damaged", "verify"):
            open_run(str(copy)).arrays("default")


def test_a_run_that_has_not_ended(model: Path, tmp_path: Path) -> None:
    job = Job(tmp_path, model)
    job.file("a.txt", "One two.\n")
    job.file("b.txt.gz", "no gzip")
    assert job.embed("--outputs", "default").code == 1
    with refused(job.out, "not complete", "allow_incomplete"):
        open_run(str(job.out))
    vectors, _ = open_run(str(job.out), allow_incomplete=True).arrays("default")
    assert vectors.shape == (1, 2 * SMALL.projection_dim)
    with refused(tmp_path, "not a run of elmo-beam"):
        open_run(str(tmp_path))


@pytest.mark.parametrize("name", ["parquet", "tfrecord"])
@pytest.mark.parametrize("text", ["\n", ""])
def test_a_run_without_a_row(name: str, text: str, model: Path, tmp_path: Path) -> None:
    job = Job(tmp_path, model)
    job.file("a.txt", text)
    job.embed("--outputs", "elmo,default", "--format", name).succeeds()
    assert len(open_run(str(job.out)).dataframe(["num_tokens", "elmo"])) == 0
    assert list(open_run(str(job.out)).rows("elmo", {})) == []
    for output in ("elmo", "default"):
        vectors, offsets = open_run(str(job.out)).arrays(output)
        assert vectors.shape == (0, 2 * SMALL.projection_dim) and offsets.tolist() == [0]
