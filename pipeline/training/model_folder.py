"""The folder that `train` writes: a model in the published layout, and what training needs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.wording import listed
from elmo_beam.pipeline.terminal.console import complain
from elmo_beam.transforms.files.lease import FOLDER as LEASES
from elmo_beam.transforms.files.lock import LOCK, held
from elmo_beam.transforms.files.remote import is_remote
from elmo_beam.transforms.files.settings import versions
from elmo_beam.transforms.files.storage import (
    TEMPORARY,
    clear_temporary,
    join,
    new_file,
    read_bytes,
    write_bytes,
)


@dataclass(frozen=True)
class ModelFolder:
    """Paths below `--output`, which is absolute and local."""

    root: str

    @property
    def training(self) -> str:
        """What training resumes from; a finished model does without."""
        return join(self.root, "training")

    @property
    def corpus(self) -> str:
        """One file per shard: its sentences, tokenized."""
        return join(self.training, "corpus")

    @property
    def settings(self) -> str:
        """What the training was started with."""
        return join(self.training, "settings.json")

    @property
    def checkpoint(self) -> str:
        """The latest state of the training."""
        return join(self.training, "checkpoint.npz")

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the model, whole or not at all."""
        write_bytes(self.training, join(self.root, name), data)

    def write_checkpoint(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replace the checkpoint."""
        with new_file(self.training, self.checkpoint) as temporary, open(temporary, "wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]

    def restore(self, into: Callable[[Mapping[str, np.ndarray]], None]) -> dict[str, Any] | None:
        """Hand the latest checkpoint's arrays to `into`; its state, or None before the first.

        Arrays are read one by one, so that no second copy of a large model is held.
        """
        if not os.path.exists(self.checkpoint):
            return None
        try:
            with np.load(self.checkpoint) as kept:
                state: dict[str, Any] = json.loads(str(kept["state"]))
                into(kept)
            return state
        except MemoryError:
            raise
        except Exception as error:  # of a damaged file NumPy raises anything
            raise UserError(
                f"{self.checkpoint} is damaged, or of another model ({cause_of(error)}): remove it "
                "to train from the start, or restore a copy"
            ) from None

    def lacks(self, names: Sequence[str]) -> bool:
        """Whether any of the model's files is missing."""
        return not all(os.path.isfile(join(self.root, name)) for name in names)


def model_folder_of(output: str) -> ModelFolder:
    """The folder of `output`; UserError if it is remote."""
    if is_remote(output):
        raise UserError(f"`output` {output} is remote: train into a local folder, then copy it")
    return ModelFolder(os.path.abspath(output))


@contextmanager
def model_folder_held(folder: ModelFolder, settings: dict[str, Any]) -> Iterator[None]:
    """Hold the folder for a training with these settings.

    UserError if it is not a training's, in use, or has a checkpoint of one with other settings.
    """
    if os.path.exists(folder.root) and not os.path.isdir(folder.root):
        raise UserError(f"`output` {folder.root} is a file: name a folder")
    before = _recorded(folder)
    if before is None and _holds_anything(folder):
        raise UserError(
            f"`output` {folder.root} is not empty and not a training of elmo-beam: name "
            "another folder"
        )
    with held(folder.training, complain):
        clear_temporary(folder.training)
        if before is not None and os.path.exists(folder.checkpoint):
            _compare(folder, before, settings)
        document = {"settings": settings, "versions": versions()}
        text = json.dumps(document, indent=2) + "\n"
        write_bytes(folder.training, folder.settings, text.encode())
        yield


def _recorded(folder: ModelFolder) -> dict[str, Any] | None:
    """The settings of the training in a folder, None if there is none."""
    try:
        document = json.loads(read_bytes(folder.settings) or b"{}")
        return dict(document["settings"]) if "elmo-beam" in document["versions"] else None
    except (ValueError, KeyError, TypeError):
        return None


def _holds_anything(folder: ModelFolder) -> bool:
    """Whether a folder holds more than a training that has just started."""
    names = set(os.listdir(folder.root)) if os.path.isdir(folder.root) else set()
    inner = set(os.listdir(folder.training)) if os.path.isdir(folder.training) else set()
    return bool(names - {"training"} or inner - {LOCK, TEMPORARY, LEASES})


def _compare(folder: ModelFolder, before: dict[str, Any], now: dict[str, Any]) -> None:
    """UserError if the settings differ, with the first differences."""
    old, new = dict(_flat(before)), dict(_flat(now))
    differing = [n for n in [*new, *(n for n in old if n not in new)] if old.get(n) != new.get(n)]
    if differing:
        changes = [f"{n} {json.dumps(old.get(n))}, now {json.dumps(new.get(n))}" for n in differing]
        raise UserError(
            f"{folder.root} is a training with other settings ({listed(changes, 3)}): use the "
            "same, or another `output`"
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The name `options lstm dim` and its value, and so on; the first word in backquotes."""
    for name, value in settings.items():
        label = f"{prefix}{name}" if prefix else f"`{name}`"
        if isinstance(value, dict):
            yield from _flat(value, f"{label} ")
        else:
            yield label, value
