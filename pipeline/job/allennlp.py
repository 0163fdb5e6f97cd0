"""One HDF5 file of vectors, as the `allennlp elmo` command wrote it.

It has one dataset per sentence, float32: [layers, tokens, dim] (all; layer 0 is the token layer
twice), or [tokens, dim] (top, average), named by the line's number or by the sentence; and
`sentence_to_index`, JSON. Tokens <S> and </S> are the boundaries of a sentence. After AllenNLP 0.9,
`allennlp/commands/elmo.py` and `ELMoCharacterMapper`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elmo_beam.elmo.errors import ArgumentError, UserError
from elmo_beam.elmo.formats.handles import ALLENNLP, DEFAULT_MODEL, read_weights
from elmo_beam.elmo.model.outputs import TOKEN_OUTPUT, output_names
from elmo_beam.elmo.wording import counted, listed
from elmo_beam.pipeline.job.hdf5_file import write_arrays
from elmo_beam.pipeline.job.job import Job
from elmo_beam.pipeline.job.manifest import problems
from elmo_beam.pipeline.job.run import run_job
from elmo_beam.pipeline.job.work_folder import remove, work_folder
from elmo_beam.pipeline.terminal.status_line import Status
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import new_file, write_bytes
from elmo_beam.transforms.inputs.lines import LIMIT_LINE
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.shards import Damaged
from elmo_beam.transforms.readers.run import open_run

INDEX = "sentence_to_index"
ANY_LENGTH = 1 << 30  # tokens: AllenNLP refuses no sentence for its length


@dataclass(frozen=True)
class Hdf5Job:
    """What the command asks for.

    layers: "all", "top" or "average". options_file, weight_file: of the model, both or neither.
    sentence_keys: sentences as names. index: write `sentence_to_index`.
    """

    input_file: str
    output_file: str
    layers: str
    options_file: str | None = None
    weight_file: str | None = None
    sentence_keys: bool = False
    index: bool = True


def write_hdf5(job: Hdf5Job, stop: Stopper, status: Status) -> str:
    """Embed a file of tokenized sentences and write the HDF5 file; what to print. UserError."""
    sentences = _read(job.input_file)
    if job.sentence_keys:
        _check_keys(sentences)
    output = os.path.abspath(job.output_file)
    if os.path.exists(output) and os.path.samefile(job.input_file, output):
        raise UserError(f"cannot write {output}: it is the input, so name another file")
    # Beside the output, where there is room for it: vectors are large, and /tmp may be memory.
    with work_folder(output) as work:
        stop.describe = lambda: "stopped; nothing was written"
        stop.clean_up = lambda: remove(work)
        try:
            _embed(job, sentences, work, status)
        except UserError:
            log = work / "run" / "error.log"
            if not log.is_file():
                raise
            kept = f"{output}.error.log"
            write_bytes(str(work), kept, log.read_bytes())
            raise UserError(f"the job failed: the traceback is in {kept}") from None
        with new_file(str(work), output) as temporary:
            write_arrays(temporary, _arrays(job, sentences, work))
    return f"{output}: {counted(len(sentences), 'sentence')}"


def _read(path: str) -> list[str]:
    """The lines, stripped; UserError if one is empty, as in AllenNLP, or is not text."""
    try:
        data = Path(path).read_bytes()
        check_text(data)
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except Damaged as damage:
        raise UserError(f"{path} {damage}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from None
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror})") from None
    lines = text.removesuffix("\n").split("\n")
    sentences = [line.removeprefix("\ufeff").strip() for line in lines]
    empty = [str(i) for i, sentence in enumerate(sentences) if not sentence]
    if empty:
        where = listed(empty)
        raise UserError(f"{path} has empty lines ({where}): each must be a tokenized sentence")
    for i, sentence in enumerate(sentences):
        if len(sentence.encode()) > LIMIT_LINE:
            raise UserError(f"{path}: line {i} is over 1 MiB: split it")
    return sentences


def _check_keys(sentences: list[str]) -> None:
    seen: set[str] = set()
    for i, sentence in enumerate(sentences):
        # HDF5 would take a slash for a group, and a lone dot for the group itself.
        if sentence in seen or "/" in sentence or sentence == "." or "\0" in sentence:
            why = "occurs twice" if sentence in seen else "cannot be a name in HDF5"
            raise UserError(f"line {i} {why} ({sentence[:60]!r}): leave `use_sentence_keys` out")
        seen.add(sentence)


def _embed(job: Hdf5Job, sentences: list[str], work: Path, status: Status) -> None:
    """The job, into a folder below `work`; UserError if it does not end well."""
    text = work / "sentences.txt"
    write_bytes(
        str(work), str(text), "".join(f"{' '.join(s.split())}\n" for s in sentences).encode()
    )
    model = _model(job, work)
    names = [n for n in output_names(read_weights(model).options) if n.startswith("lstm_outputs")]
    settings = Settings(
        model=model,
        encoder=ALLENNLP,
        outputs=tuple(names[-1:] if job.layers == "top" else [TOKEN_OUTPUT, *names]),
        tokenizer="whitespace",
        normalize="none",
        max_tokens=ANY_LENGTH,
    )
    # It has a Stopper of its own: what a job says when it is stopped, that the same command
    # continues, is not true here.
    _, state, _ = run_job(Job((str(text),), str(work / "run"), settings), Stopper(), status)
    if lines := problems(state):
        raise UserError(lines[0])


def _model(job: Hdf5Job, work: Path) -> str:
    """The two files as a model folder, or the default model."""
    if not job.options_file and not job.weight_file:
        return DEFAULT_MODEL
    if not job.options_file or not job.weight_file:
        raise ArgumentError("`options_file` and `weight_file` go together: give both, or neither")
    model = work / "model"
    model.mkdir()
    for name, path in (("options.json", job.options_file), ("weights.hdf5", job.weight_file)):
        if not os.path.isfile(path):
            raise UserError(f"no file {path}: give a local file")
        (model / name).symlink_to(os.path.abspath(path))
    return str(model)


def _arrays(job: Hdf5Job, sentences: list[str], work: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The datasets of the file, by name."""
    run = open_run(str(work / "run"))
    rows = zip(*(_vectors(run.rows(name), name) for name in run.settings.outputs), strict=True)
    for i, (sentence, layers) in enumerate(zip(sentences, rows, strict=True)):
        array = layers[-1] if job.layers == "top" else np.stack(layers)
        if job.layers == "average":
            array = array.mean(axis=0)
        yield sentence if job.sentence_keys else str(i), array
    if job.index and not job.sentence_keys:
        index = {sentence: str(i) for i, sentence in enumerate(sentences)}
        yield INDEX, np.array([json.dumps(index)], object)


def _vectors(rows: Iterator[tuple[np.ndarray, object]], name: str) -> Iterator[np.ndarray]:
    """A sentence's vectors, as wide as the layers': the token layer twice."""
    for vectors, _ in rows:
        yield np.concatenate([vectors, vectors], axis=1) if name == TOKEN_OUTPUT else vectors
