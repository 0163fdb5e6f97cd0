"""`elmo-beam elmo`: what the `allennlp elmo` command did, with its flags and its HDF5 file.

The file has a dataset a sentence, float32: [layers, tokens, dim] (--all; layer 0 is the token
layer twice), or [tokens, dim] (--top, --average), by the line's number or by the sentence; and
`sentence_to_index`, JSON. After AllenNLP 0.9, `allennlp/commands/elmo.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from elmo.errors import UserError
from elmo.models import DEFAULT_MODEL, read_weights
from elmo.outputs import TOKEN_OUTPUT, output_names
from pipeline import flags
from pipeline.console import say
from pipeline.embed import run_job
from pipeline.progress import shown
from pipeline.report import problems
from pipeline.stopping import Stopper
from transforms.readers import open_run
from transforms.settings import LIMIT_LINE

INDEX = "sentence_to_index"
ANY_LENGTH = 1 << 30  # tokens: AllenNLP refuses no sentence for its length


def elmo(args: argparse.Namespace, stop: Stopper) -> int:
    """Embed a file of tokenized sentences, and write one HDF5 file."""
    sentences = _read(args.input_file)
    if args.use_sentence_keys:
        _check_keys(sentences)
    output = os.path.abspath(args.output_file)
    folder = os.path.dirname(output)
    if not os.path.isdir(folder) or os.path.isdir(output):
        raise UserError(f"cannot write {output}: name a file in a folder that is there")
    # Beside the output, where there is room for it: vectors are large, and /tmp may be memory.
    work = Path(tempfile.mkdtemp(prefix=".elmo-beam-", dir=folder))
    stop.describe = lambda: "stopped; nothing was written"
    stop.clean_up = lambda: _remove(work)
    try:
        _embed(args, sentences, work)
        _write(args, sentences, work)
        os.replace(work / "vectors.hdf5", output)
    except UserError:
        log = work / "run" / "error.log"
        if not log.is_file():
            raise
        kept = f"{output}.error.log"
        shutil.copyfile(log, kept)
        raise UserError(f"the job failed: the traceback is in {kept}") from None
    finally:
        stop.clean_up()
    say(f"{output}: {len(sentences):,} sentences")
    return 0


def _remove(folder: Path) -> None:
    """Delete a folder that a thread may still be writing to."""
    for _ in range(100):  # no more: it may be beyond deleting
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _read(path: str) -> list[str]:
    """The lines, stripped; UserError where one is empty, as AllenNLP has it, or no text."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 (byte {error.start}): convert it first") from None
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror})") from None
    sentences = [line.strip() for line in lines]
    empty = [str(i) for i, sentence in enumerate(sentences) if not sentence]
    if empty:
        where = shown(empty)
        raise UserError(f"{path} has empty lines ({where}): each must be a tokenized sentence")
    for i, sentence in enumerate(sentences):
        if len(sentence.encode()) > LIMIT_LINE:
            raise UserError(f"{path}: line {i} is over 1 MiB: split it")
    return sentences


def _check_keys(sentences: list[str]) -> None:
    seen: set[str] = set()
    for i, sentence in enumerate(sentences):
        # HDF5 would take a slash as a group, and a lone dot as the group itself.
        if sentence in seen or "/" in sentence or sentence == "." or "\0" in sentence:
            why = "stands twice" if sentence in seen else "is no name in HDF5"
            raise UserError(f"line {i} {why} ({sentence[:60]!r}): leave --use-sentence-keys out")
        seen.add(sentence)


def _embed(args: argparse.Namespace, sentences: list[str], work: Path) -> None:
    """The job, into a folder below `work`; UserError where it does not end well."""
    text = work / "sentences.txt"
    text.write_text("".join(f"{' '.join(s.split())}\n" for s in sentences), encoding="utf-8")
    model = _model(args, work)
    names = [n for n in output_names(read_weights(model).options) if n.startswith("lstm_outputs")]
    wanted = names[-1:] if args.top else [TOKEN_OUTPUT, *names]
    words = [
        "embed", "--input", text, "--output", work / "run", "--model", model,
        "--outputs", ",".join(wanted), "--tokenizer", "whitespace", "--normalize", "none",
        "--max_tokens", ANY_LENGTH,
    ]  # fmt: skip
    job = flags.parser().parse_args([str(word) for word in words])
    # What a job says when it is stopped, that it can go on, is not so of this one.
    _, state, _ = run_job(job, None, Stopper())
    lines = problems(state)
    if lines:
        raise UserError(lines[0])


def _model(args: argparse.Namespace, work: Path) -> str:
    """The two files as a model folder, or the default model."""
    if not args.options_file and not args.weight_file:
        return DEFAULT_MODEL
    if not args.options_file or not args.weight_file:
        raise UserError("--options-file and --weight-file go together: give both, or neither")
    model = work / "model"
    model.mkdir()
    for name, path in (("options.json", args.options_file), ("weights.hdf5", args.weight_file)):
        if not os.path.isfile(path):
            raise UserError(f"no file {path}: give a local file")
        (model / name).symlink_to(os.path.abspath(path))
    return str(model)


def _write(args: argparse.Namespace, sentences: list[str], work: Path) -> None:
    run = open_run(str(work / "run"))
    rows = zip(*(_vectors(run.rows(name), name) for name in run.settings.outputs), strict=True)
    with h5py.File(work / "vectors.hdf5", "w") as file:
        for i, (sentence, layers) in enumerate(zip(sentences, rows, strict=True)):
            if args.top:
                array = layers[-1]
            else:
                array = np.stack(layers)
                if args.average:
                    array = array.mean(axis=0)
            file.create_dataset(
                sentence if args.use_sentence_keys else str(i), data=array, dtype="float32"
            )
        if not args.forget_sentences and not args.use_sentence_keys:
            index = {sentence: str(i) for i, sentence in enumerate(sentences)}
            file.create_dataset(INDEX, (1,), dtype=h5py.string_dtype())[0] = json.dumps(index)


def _vectors(rows: Iterator[tuple[np.ndarray, object]], name: str) -> Iterator[np.ndarray]:
    """A sentence's vectors, as wide as the layers': the token layer stands twice."""
    for vectors, _ in rows:
        yield np.concatenate([vectors, vectors], axis=1) if name == TOKEN_OUTPUT else vectors
