"""ELMoForManyLangs as its authors compute it, slowly, in float64, from the arrays they save."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elmo_beam.elmo.files.torch_file import TorchFile
from tests.helpers.oracle import sigmoid


class ManyLangsOracle:
    """One model; its layers for one sentence at a time."""

    def __init__(self, folder: Path, shape: dict[str, Any]) -> None:
        self.token, self.encoder = shape["token_embedder"], shape["encoder"]
        self.a: dict[str, np.ndarray] = {}
        for name in ("token_embedder.pkl", "encoder.pkl"):
            file = TorchFile(folder / name)
            self.a |= {key: file.read(key).astype(np.float64) for key in file.shapes}
        self.words, self.characters = (self._lexicon(folder / f"{k}.dic") for k in ("word", "char"))

    def _lexicon(self, path: Path) -> dict[str, int]:
        if not path.exists():
            return {}
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        return {line.split("\t")[0]: int(line.split("\t")[1]) for line in lines}

    def token_vector(self, token: str) -> np.ndarray:
        """The token embedder, [projection_dim]."""
        most = self.token["max_characters_per_token"]
        token = token[: most - 2]
        parts = []
        if self.words:
            row = self.words.get(token, self.words["<oov>"])
            parts.append(self.a["word_emb_layer.embedding.weight"][row])
        if self.characters:
            parts.append(self._spelled(token, most))
        return self.a["projection.weight"] @ np.concatenate(parts) + self.a["projection.bias"]

    def _spelled(self, token: str, most: int) -> np.ndarray:
        spelled = [token] if token in ("<bos>", "<eos>") else list(token)
        ids = [self.characters.get(c, self.characters["<oov>"]) for c in spelled]
        ids = [self.characters["<eow>"], *ids, self.characters["<bow>"]]
        ids += [self.characters["<pad>"]] * (most - len(ids))
        embedded = self.a["char_emb_layer.embedding.weight"][ids]
        features = []
        for i, (width, n) in enumerate(self.token["filters"]):
            kernel = self.a[f"convolutions.{i}.weight"]  # [n, char_dim, width]
            outputs = np.empty((most - width + 1, n))
            for begin in range(len(outputs)):
                window = embedded[begin : begin + width].T
                outputs[begin] = (kernel * window).sum((1, 2)) + self.a[f"convolutions.{i}.bias"]
            highest = outputs.max(axis=0)
            relu = self.token["activation"] == "relu"
            features.append(np.maximum(highest, 0) if relu else np.tanh(highest))
        x = np.concatenate(features)
        for i in range(self.token["n_highway"]):
            name = f"highways._layers.{i}"
            nonlinear, gate = np.split(self.a[f"{name}.weight"] @ x + self.a[f"{name}.bias"], 2)
            gate = sigmoid(gate)
            x = gate * x + (1 - gate) * np.maximum(nonlinear, 0)
        return x

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """[layers + 1, tokens, 2 × projection_dim], the token vectors first, twice."""
        inputs = np.stack([self.token_vector(t) for t in ("<bos>", *tokens, "<eos>")])
        forward, backward = self._run("forward", inputs), self._run("backward", inputs[::-1])
        layers = [np.concatenate([inputs, inputs], axis=1)]
        layers += [
            np.concatenate([f, b[::-1]], axis=1) for f, b in zip(forward, backward, strict=True)
        ]
        return np.stack(layers)[:, 1:-1]

    def _run(self, direction: str, inputs: np.ndarray) -> list[np.ndarray]:
        layers: list[np.ndarray] = []
        for layer in range(self.encoder["n_layers"]):
            name = f"{direction}_layer_{layer}"
            c, h = np.zeros(self.encoder["dim"]), np.zeros(self.encoder["projection_dim"])
            outputs = []
            for x in inputs:
                gates = self.a[f"{name}.input_linearity.weight"] @ x
                gates = gates + self.a[f"{name}.state_linearity.weight"] @ h
                i, f, g, o = np.split(gates + self.a[f"{name}.state_linearity.bias"], 4)
                c = _clip(sigmoid(i) * np.tanh(g) + sigmoid(f) * c, self.encoder["cell_clip"])
                h = self.a[f"{name}.state_projection.weight"] @ (sigmoid(o) * np.tanh(c))
                h = _clip(h, self.encoder["proj_clip"])
                outputs.append(h + x if layer else h)
            inputs = np.stack(outputs)
            layers.append(inputs)
        return layers


def _clip(x: np.ndarray, limit: float | None) -> np.ndarray:
    return x if limit is None else np.clip(x, -limit, limit)
