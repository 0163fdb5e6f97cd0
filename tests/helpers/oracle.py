"""A slow, obvious biLM in float64: what every fast way of computing one must agree with.

Straight from the definition in allenai/bilm-tf (`bilm/data.py`, `bilm/model.py`): one sentence, one
direction, one token, one character window at a time. It shares no arithmetic with `elmo/`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.model.weights import Weights

# Any code point at all; lone surrogates, which UTF-8 cannot encode, would otherwise be rare.
ANY_CHARACTER = st.one_of(st.characters(), st.characters(categories=["Cs"]))

BEGIN_SENTENCE, END_SENTENCE = [259, 257, 260], [259, 258, 260]  # within the marks of a word
PADDING = 261


def characters_of(token: str, max_characters: int) -> list[int]:
    """Begin mark, bytes + 1, end mark; cut to the length that the model takes."""
    return [259, *(b + 1 for b in token.encode("utf-8", "ignore")[: max_characters - 2]), 260]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


class Oracle:
    """A biLM that computes one thing after another, with nothing cached or shared."""

    def __init__(self, weights: Weights, boundary_tokens: bool = False) -> None:
        """boundary_tokens: <S> and </S> are what stands around a sentence, not characters."""
        self._named = {"<S>": BEGIN_SENTENCE, "</S>": END_SENTENCE} if boundary_tokens else {}
        self.options = weights.options
        self.arrays = {name: a.astype(np.float64) for name, a in weights.arrays.items()}

    def token_vector(self, characters: Sequence[int]) -> np.ndarray:
        """The character encoder: [projection_dim] for one token's ids, padding not included."""
        o, a = self.options, self.arrays
        padded = [*characters, *[PADDING] * (o.max_characters - len(characters))]
        embedded = np.stack([a["char_embed"][c] for c in padded])
        features = []
        for n, (width, _) in enumerate(o.filters):
            kernel = a[f"CNN/W_cnn_{n}"][0]  # [width, char_dim, filters]
            windows = []
            for start in range(o.max_characters - width + 1):
                window = embedded[start : start + width]
                windows.append(np.tensordot(window, kernel, 2) + a[f"CNN/b_cnn_{n}"])
            highest = np.max(windows, axis=0)
            features.append(np.maximum(highest, 0) if o.activation == "relu" else np.tanh(highest))
        x = np.concatenate(features)
        for n in range(o.n_highway):
            high = f"CNN_high_{n}"
            carry = sigmoid(x @ a[f"{high}/W_carry"] + a[f"{high}/b_carry"])
            transform = np.maximum(x @ a[f"{high}/W_transform"] + a[f"{high}/b_transform"], 0)
            x = carry * transform + (1 - carry) * x
        if sum(n for _, n in o.filters) != o.projection_dim:
            x = x @ a["CNN_proj/W_proj"] + a["CNN_proj/b_proj"]
        return x

    def direction(self, direction: int, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One direction's LSTMs over all inputs: for each layer [inputs, projection_dim]."""
        o = self.options
        layers = []
        for layer in range(o.n_layers):
            c, h = np.zeros(o.lstm_dim), np.zeros(o.projection_dim)
            outputs = []
            for x in inputs:
                c, h = self.step(direction, layer, x, c, h)
                skip = o.use_skip_connections and layer > 0
                outputs.append(h + x if skip else h)
            inputs = outputs
            layers.append(np.stack(outputs))
        return layers

    def step(
        self, direction: int, layer: int, x: np.ndarray, c: np.ndarray, h: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """One LSTM cell at one token: the new cell and the new output."""
        o = self.options
        cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        gates = np.concatenate([x, h]) @ self.arrays[f"{cell}/W_0"] + self.arrays[f"{cell}/B"]
        i, j, f, out = np.split(gates, 4)
        c = sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(j)
        if o.cell_clip is not None:
            c = np.clip(c, -o.cell_clip, o.cell_clip)
        h = sigmoid(out) * np.tanh(c)
        if o.projection_dim < o.lstm_dim:
            h = h @ self.arrays[f"{cell}/W_P_0"]
            if o.proj_clip is not None:
                h = np.clip(h, -o.proj_clip, o.proj_clip)
        return c, h

    def encode(self, tokens: Sequence[str]) -> dict[str, np.ndarray]:
        """Every output for one sentence: [tokens, dim], and [dim] for `default`."""
        o = self.options
        own = [self._named.get(t) or characters_of(t, o.max_characters) for t in tokens]
        ids = [BEGIN_SENTENCE, *own, END_SENTENCE]
        inputs = [self.token_vector(characters) for characters in ids]
        forward = [layer[1:-1] for layer in self.direction(0, inputs)]
        backward = [layer[::-1][1:-1] for layer in self.direction(1, inputs[::-1])]

        vectors = np.stack(inputs)[1:-1]
        both = [
            np.concatenate([vectors, vectors], axis=1),
            *(np.concatenate([f, b], axis=1) for f, b in zip(forward, backward, strict=True)),
        ]
        raw = self.arrays["aggregation/weights"]
        shares = np.exp(raw) / np.exp(raw).sum()
        elmo = self.arrays["aggregation/scaling"] * sum(
            share * layer for share, layer in zip(shares, both, strict=True)
        )
        outputs = {"word_emb": vectors, "elmo": elmo}
        outputs |= {f"lstm_outputs{k}": both[k] for k in range(1, len(both))}
        outputs["default"] = elmo.mean(axis=0) if len(tokens) else np.zeros(2 * o.projection_dim)
        return outputs

    def encode_all(self, sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """The same for many sentences, flat, as `Encoder.encode` gives them."""
        width = self.options.projection_dim
        empty = {name: np.zeros((0, 2 * width)) for name in self.encode([])}
        empty["word_emb"] = np.zeros((0, width))
        parts = [self.encode(tokens) for tokens in sentences]
        return {
            name: np.concatenate([none, *(np.atleast_2d(part[name]) for part in parts)])
            for name, none in empty.items()
        }


def random_weights(options: ModelOptions, seed: int = 0) -> Weights:
    """Weights with a mix of their own, drawn so that values neither vanish nor grow."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in options.shapes().items():
        array = rng.normal(size=shape)
        if name == "char_embed":
            array[0] = 0.0  # the padding row, which published files leave out
        elif len(shape) > 1:
            array /= np.sqrt(np.prod(shape[:-1]))
        else:
            array *= 0.5
        arrays[name] = array.astype(np.float32)
    arrays["aggregation/weights"] = rng.normal(size=options.n_layers + 1).astype(np.float32)
    arrays["aggregation/scaling"] = np.array(rng.uniform(0.5, 2.0), np.float32)
    return Weights(options, arrays)


def assert_close(got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    """Same shape, and no difference above `tolerance` × the largest value (or 1, if larger)."""
    assert got.shape == want.shape
    if want.size:
        worst = float(np.abs(got - want).max())
        assert worst <= tolerance * max(1.0, float(np.abs(want).max())), f"differs by {worst:.2g}"
