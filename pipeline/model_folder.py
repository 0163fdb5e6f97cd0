"""The folder that `train` writes: a model in the published layout, and what training needs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elmo.errors import UserError, cause_of
from pipeline.folder import locked, versions
from pipeline.progress import shown
from transforms.storage import (
    TEMPORARY,
    clear_temporary,
    is_remote,
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

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the model, whole or not at all."""
        write_bytes(self.training, join(self.root, name), data)

    def write_checkpoint(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replace the checkpoint."""
        with new_file(self.training, self.checkpoint) as temporary, open(temporary, "wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]

    def restore(self, into: Callable[[Mapping[str, np.ndarray]], None]) -> dict[str, Any] | None:
        """Hand the latest checkpoint's arrays to `into`; its state, None before the first.

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
                "to train from the beginning, or bring a copy back"
            ) from None

    def lacks(self, names: Sequence[str]) -> bool:
        """Whether any of the model's files is gone."""
        return not all(os.path.isfile(join(self.root, name)) for name in names)


def model_folder_of(output: str) -> ModelFolder:
    """The folder of `--output`; UserError where it is remote."""
    if is_remote(output):
        raise UserError(f"--output {output} is remote: train into a local folder, then copy it")
    return ModelFolder(os.path.abspath(output))


@contextmanager
def model_folder_taken(folder: ModelFolder, settings: dict[str, Any]) -> Iterator[None]:
    """Hold the folder for a training with these settings, by the flags' names.

    UserError where it is another's, in use, or has a checkpoint of a training with other settings.
    """
    if os.path.exists(folder.root) and not os.path.isdir(folder.root):
        raise UserError(f"--output {folder.root} is a file: name a folder")
    before = _recorded(folder)
    if before is None and _holds_anything(folder):
        raise UserError(
            f"--output {folder.root} is not empty and no training of elmo-beam: name another folder"
        )
    with locked(folder.training, join(folder.training, ".lock")):
        clear_temporary(folder.training)
        if before is not None and os.path.exists(folder.checkpoint):
            _compare(folder, before, settings)
        document = {"settings": settings, "versions": versions()}
        text = json.dumps(document, indent=2) + "\n"
        write_bytes(folder.training, folder.settings, text.encode())
        yield


def _recorded(folder: ModelFolder) -> dict[str, Any] | None:
    """The settings of the training in a folder, None where there is none."""
    try:
        document = json.loads(read_bytes(folder.settings) or b"{}")
        return dict(document["settings"]) if "elmo-beam" in document["versions"] else None
    except (ValueError, KeyError, TypeError):
        return None


def _holds_anything(folder: ModelFolder) -> bool:
    """Whether there is more in a folder than a training that has just begun."""
    names = set(os.listdir(folder.root)) if os.path.isdir(folder.root) else set()
    inner = set(os.listdir(folder.training)) if os.path.isdir(folder.training) else set()
    return bool(names - {"training"} or inner - {".lock", TEMPORARY})


def _compare(folder: ModelFolder, before: dict[str, Any], now: dict[str, Any]) -> None:
    """UserError where the settings differ, with the first differences."""
    old, new = dict(_flat(before)), dict(_flat(now))
    differing = [n for n in [*new, *(n for n in old if n not in new)] if old.get(n) != new.get(n)]
    if differing:
        told = [f"{n} {json.dumps(old.get(n))}, now {json.dumps(new.get(n))}" for n in differing]
        raise UserError(
            f"{folder.root} is a training with other settings ({shown(told, 3)}): use the same, or "
            "another --output"
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`--options lstm dim` and its value, and so on."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value
