"""Models that cannot be used: one line each, before anything is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import h5py
import pytest

from elmo_beam.elmo.backend import tf
from elmo_beam.pipeline.commands import COMMANDS
from elmo_beam.pipeline.terminal.flag_types import Parser
from elmo_beam.pipeline.terminal.stopping import Stopper
from elmo_beam.pipeline.training.start import TrainingJob, start_of
from elmo_beam.transforms.files.settings import Settings
from tests.helpers.command import (
    SMALL,
    Job,
    assert_same_rows,
    elmo_beam,
    files_of,
    read_rows,
    write_model,
)
from tests.helpers.hub_modules import make_tf1_module
from tests.helpers.oracle import random_weights
from tests.helpers.planted_ops import place_of_loot, plant, steal, with_the_outputs
from tests.helpers.refusal import refused


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)


def no_options(folder: Path) -> None:
    (folder / "options.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "weights.hdf5").unlink()


def two_weights(folder: Path) -> None:
    (folder / "weights.hdf5").rename(folder / "a_weights.hdf5")
    shutil.copy(folder / "a_weights.hdf5", folder / "b_weights.hdf5")


def truncated(folder: Path) -> None:
    data = (folder / "weights.hdf5").read_bytes()
    (folder / "weights.hdf5").write_bytes(data[: len(data) // 2])


def not_hdf5(folder: Path) -> None:
    (folder / "weights.hdf5").write_text("<html>404</html>")


def other_options(folder: Path) -> None:
    options = replace(SMALL, lstm_dim=9).to_json()
    (folder / "options.json").write_text(json.dumps(options))


def no_array(folder: Path) -> None:
    with h5py.File(folder / "weights.hdf5", "a") as file:
        del file["CNN/W_cnn_1"]


def not_finite(folder: Path) -> None:
    with h5py.File(folder / "weights.hdf5", "a") as file:
        file["CNN_proj/b_proj"][0] = float("nan")


def options_no_json(folder: Path) -> None:
    (folder / "options.json").write_text("{")


def options_of_something_else(folder: Path) -> None:
    (folder / "options.json").write_text('{"layers": 2}')


SPOILED: dict[Callable[[Path], None], str] = {
    nothing: "no model",
    no_options: "options.json",
    no_weights: "hdf5",
    two_weights: "a_weights.hdf5, b_weights.hdf5",
    truncated: "weights.hdf5",
    not_hdf5: "weights.hdf5",
    other_options: "shape",
    no_array: "CNN/W_cnn_1",
    not_finite: "CNN_proj/b_proj",
    options_no_json: "options.json",
    options_of_something_else: "char_cnn",
}


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("command", ["embed", "plan"])
def test_a_model_that_cannot_be_read_is_refused_with_its_folder_and_cause(
    job: Job, spoil: Callable[[Path], None], command: str
) -> None:
    job.file("a.txt", "One bank.\n")
    job.model = write_model(job.folder / "model")
    spoil(job.model)
    elmo_beam(command, *job.command()[1:]).refuses(job.model, SPOILED[spoil])
    assert not job.out.exists()


def test_a_model_lost_between_two_sessions_leaves_the_run_as_it_is(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.model = write_model(job.folder / "model")
    job.embed().succeeds()
    before = files_of(job.out)
    truncated(job.model)
    job.embed().refuses("weights.hdf5")
    assert files_of(job.out) == before


def test_a_hub_module_that_is_not_an_elmo_is_refused(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    module = job.folder / "module"
    (module / "variables").mkdir(parents=True)
    (module / "saved_model.pb").write_bytes(b"")
    (module / "tfhub_module.pb").write_bytes(b"")
    for encoder in ("native", "module"):
        job.embed("--model", module, "--encoder", encoder).refuses(module)
    tf.train.Checkpoint(v=tf.Variable([1.0])).write(str(module / "variables" / "variables"))
    job.embed("--model", module).refuses(module, "not an ELMo")
    assert not job.out.exists()


def test_encoder_module_needs_a_module(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    job.embed("--encoder", "module").refuses("--encoder module", job.model, code=2)


def test_both_encoders_of_a_module_give_the_same_vectors(job: Job, hub_module: Path) -> None:
    job.file("a.txt", "The bank of the river.\n\nMoney in the bank, caf\u00e9\n")
    job.model = hub_module
    flags = ("--outputs", "word_emb,lstm_outputs1,elmo,default")
    job.embed(*flags).succeeds()
    other = job.folder / "other"
    job.embed(*flags, "--encoder", "module", "--output", other).succeeds()
    assert_same_rows(read_rows(other), job.rows())
    job.embed(*flags, "--encoder", "module").refuses("--encoder")  # another run


def test_an_output_that_the_model_lacks_is_refused_with_those_it_has(job: Job) -> None:
    job.file("a.txt", "One bank.\n")
    known = "word_emb, lstm_outputs1, lstm_outputs2, elmo"
    job.embed("--outputs", "elmo,lstm_outputs3").refuses(
        "--outputs", "lstm_outputs3", known, code=2
    )
    assert not job.out.exists()


def test_a_module_that_would_touch_files_is_refused_with_the_flag_that_lets_it(job: Job) -> None:
    text = job.file("a.txt", "One bank.\n")
    module = make_tf1_module(random_weights(SMALL), job.folder / "module")
    stolen = place_of_loot(job.folder)
    plant(module, lambda: steal(stolen), with_the_outputs)
    elmo_beam("plan", "--input", text, "--model", module).refuses(module, "File'", "--trust_model")
    measured = ["evaluate", "--input", str(text), "--model", str(module)]
    start = TrainingJob((str(text),), "", Settings(), 1.0, init_from=str(module))
    for run in (lambda: run_here(measured), lambda: start_of(start)):
        with refused(module, "File'", "`trust_model`"):
            run()
    assert not stolen.exists()
    with refused("has no softmax"):
        run_here([*measured, "--trust_model"])
    stolen.unlink()
    start_of(replace(start, trust_model=True))
    assert stolen.exists()


def run_here(line: list[str]) -> int:
    """A command in this process, with its errors as they are raised."""
    command = import_module(COMMANDS[line[0]]).COMMAND
    parser = Parser(line[0])
    command.add_flags(parser)
    code: int = command.run(parser.parse_args(line[1:]), Stopper())
    return code


def test_every_command_that_takes_a_handle_takes_trust() -> None:
    for name, module in COMMANDS.items():
        parser = Parser(name)
        import_module(module).COMMAND.add_flags(parser)
        flags = {flag for action in parser._actions for flag in action.option_strings}
        takes_handle = "HANDLE" in {action.metavar for action in parser._actions}
        assert ("--trust_model" in flags) == takes_handle, name
