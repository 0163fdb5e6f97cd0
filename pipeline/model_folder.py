"""The folder that `train` writes: a model in the published layout, and what training needs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elmo.errors import UserError, cause_of
from pipeline.folder import locked, versions
from transforms.storage import clear_temporary, is_remote, join, new_file, read_bytes, write_bytes


@dataclass(frozen=True)
class ModelFolder:
    """Paths below `--output`, which is absolute and local."""

    root: str

    @property
    def training(self) -> str:
        """What training goes on from; a finished model does without."""
        return join(self.root, "training")

    @property
    def corpus(self) -> str:
        """One file a shard: its sentences, tokenized."""
        return join(self.training, "corpus")

    @property
    def settings(self) -> str:
        """What the training was begun with."""
        return join(self.training, "settings.json")

    @property
    def checkpoint(self) -> str:
        """The latest state of the training."""
        return join(self.training, "checkpoint.npz")

    @property
    def report(self) -> str:
        """The training's figures."""
        return join(self.root, "training.json")

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the model, whole or not at all."""
        write_bytes(self.training, join(self.root, name), data)

    def write_checkpoint(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replace the checkpoint."""
        with new_file(self.training, self.checkpoint) as temporary, open(temporary, "wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]

    def read_checkpoint(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The latest arrays and state, None before the first."""
        data = read_bytes(self.checkpoint)
        if data is None:
            return None
        try:
            with np.load(io.BytesIO(data)) as kept:
                arrays = {name: kept[name] for name in kept.files}
                return arrays, json.loads(str(arrays.pop("state")))
        except Exception as error:  # of a damaged file NumPy raises anything
            raise UserError(
                f"{self.checkpoint} is damaged ({cause_of(error)}): remove it to train from the "
                "beginning, or bring a copy back"
            ) from None


def model_folder_of(output: str) -> ModelFolder:
    """The folder of `--output`; UserError where it is remote."""
    if is_remote(output):
        raise UserError(f"--output {output} is remote: train into a local folder, then copy it")
    return ModelFolder(os.path.abspath(output))


@contextmanager
def model_folder_taken(folder: ModelFolder, settings: dict[str, Any]) -> Iterator[None]:
    """Hold the folder for a training with these settings, by the flags' names.

    UserError where it is another's, in use, or of a training with other settings.
    """
    if os.path.exists(folder.root) and not os.path.isdir(folder.root):
        raise UserError(f"--output {folder.root} is a file: name a folder")
    begun = os.path.isdir(folder.training)
    if os.path.isdir(folder.root) and os.listdir(folder.root) and not begun:
        raise UserError(
            f"--output {folder.root} is not empty and no training of elmo-beam: name another folder"
        )
    with locked(folder.training, join(folder.training, ".lock")):
        clear_temporary(folder.training)
        _settle(folder, settings)
        yield


def _settle(folder: ModelFolder, settings: dict[str, Any]) -> None:
    text = read_bytes(folder.settings)
    if text is not None:
        try:
            before = json.loads(text)["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{folder.settings} is damaged ({cause_of(error)}): give another --output"
            ) from None
        differing = [name for name in settings if before.get(name) != settings[name]]
        if differing:
            told = "; ".join(
                f"{n} {_shown(before.get(n))}, now {_shown(settings[n])}" for n in differing
            )
            raise UserError(
                f"{folder.root} is a training with other settings ({told}): use the same, or "
                "another --output"
            )
    document = {"settings": settings, "versions": versions()}
    write_bytes(folder.training, folder.settings, (json.dumps(document, indent=2) + "\n").encode())


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
