"""ELMoForManyLangs (HIT-SCIR): a folder of config.json, two lexicons and two files of PyTorch's.

Source: the authors' code, https://github.com/HIT-SCIR/ELMoForManyLangs (`modules/`, `frontend.py`),
whose LSTM cell is AllenNLP's: gates in the order i, f, g, o, and no forget bias of its own.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from elmo_beam.elmo.errors import UserError, cause_of
from elmo_beam.elmo.files.regular_files import MOST_OPTIONS, read_regular
from elmo_beam.elmo.files.torch_file import TorchFile
from elmo_beam.elmo.formats.model_format import ModelFormat
from elmo_beam.elmo.model import token_ids as names
from elmo_beam.elmo.model.options import FORGET_BIAS, ModelOptions, cell_name
from elmo_beam.elmo.model.options_json import parse_options
from elmo_beam.elmo.model.token_ids import Lexicon
from elmo_beam.elmo.model.weights import Weights, check_shapes, checked_weights
from elmo_beam.elmo.wording import counted

MOST_LEXICON = 1 << 28  # bytes; the published ones have 3 million
# What config.json names by a path of the authors' own machine, the same for all 45 languages.
PUBLISHED: dict[str, Any] = {
    "encoder": {
        "name": "elmo",
        "projection_dim": 512,
        "dim": 4096,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
    },
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "n_highway": 2,
        "word_dim": 100,
        "char_dim": 50,
        "max_characters_per_token": 50,
    },
}
WORDS, CHARACTERS = "word_emb_layer.embedding.weight", "char_emb_layer.embedding.weight"
LEXICON_LINE = re.compile("(?:(?P<token>[^\t]*)\t)?(?P<row>[0-9]{1,9})")
CHARACTER_NAMES = (
    names.BEGIN, names.END, names.UNKNOWN, names.PADDING, names.FIRST, names.LAST
)  # fmt: skip


def read_many_langs(folder: Path) -> Weights:
    """Weights from such a folder; UserError says what is wrong with it."""
    document, source = _configuration(folder)
    words, n_words = _lexicon(folder, "word", document, (names.UNKNOWN,))
    characters, n_characters = _lexicon(folder, "char", document, CHARACTER_NAMES)
    options = _options(document, source, n_words, n_characters)
    embedder = TorchFile(folder / "token_embedder.pkl")
    encoder = TorchFile(folder / "encoder.pkl")
    for file, n, table in (("word.dic", n_words, WORDS), ("char.dic", n_characters, CHARACTERS)):
        if n and table in embedder.shapes and embedder.shapes[table][:1] != (n,):
            raise UserError(
                f"{folder / file} has {counted(n, 'token')}, and their table in token_embedder.pkl "
                f"{counted(embedder.shapes[table][0], 'row')}: they are not from the same model"
            )
    arrays = _token_arrays(options, embedder, folder) | _lstm_arrays(options, encoder, folder)
    return checked_weights(options, arrays, str(folder), Lexicon(words, characters))


def _configuration(folder: Path) -> tuple[dict[str, Any], str]:
    """The shape that config.json names, and the name of the file that it is from."""
    config = _json(folder / "config.json")
    named = config.get("config_path")
    if isinstance(named, str):
        for relative in (named, named.replace("\\", "/").rpartition("/")[2]):
            # Relative to the folder only: a model is not to read other files of this machine.
            path = folder / relative
            with suppress(OSError, ValueError):  # of what is no path at all
                if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                    return _json(path), str(path)
    return PUBLISHED, str(folder / "config.json")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, MOST_OPTIONS))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({cause_of(error)}): fetch the model again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object: fetch the model again")
    return found


def _lexicon(
    folder: Path, kind: str, document: dict[str, Any], needed: tuple[str, ...]
) -> tuple[dict[str, int], int]:
    """Each token's row in a .dic file, and how many rows there are; none if the model has none.

    A line is a token, a tab and its row. A line of one field only is of U+3000, which the authors'
    own stripping takes away.
    """
    embedder = document.get("token_embedder")
    if not isinstance(embedder, dict) or not embedder.get(f"{kind}_dim"):
        return {}, 0
    path, rows = folder / f"{kind}.dic", {}
    try:
        text = read_regular(path, MOST_LEXICON).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({cause_of(error)}): fetch it again") from None
    lines = text.removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        found = LEXICON_LINE.fullmatch(line.strip())
        if found is None:
            raise UserError(
                f"line {number:,} of {path} is not a token, a tab and its row: fetch it again"
            )
        rows[found["token"] or "\u3000"] = int(found["row"])
    if not 0 <= min(rows.values()) <= max(rows.values()) < len(lines):
        raise UserError(f"{path} does not number its {counted(len(lines), 'line')} from 0 on")
    for name in needed:
        if name not in rows:
            raise UserError(f"{path} has no {name}: it is not a lexicon of ELMoForManyLangs")
    return rows, len(lines)


def _options(
    document: dict[str, Any], source: str, n_words: int, n_characters: int
) -> ModelOptions:
    """The options of a configuration in the authors' terms."""
    try:
        embedder, encoder = document["token_embedder"], document["encoder"]
        for part, name, known in (
            ("token embedder", embedder["name"], "cnn"),
            ("encoder", encoder["name"], "elmo"),
        ):
            if name.lower() != known:
                raise UserError(
                    f"{source}: its {part} is {name!r}, which elmo-beam does not compute: it must "
                    f"be {known!r}"
                )
        ours = {
            "many_langs": {
                "word_dim": embedder["word_dim"] or 0,
                "max_characters_per_token": embedder["max_characters_per_token"],
            },
            "n_tokens_vocab": n_words,
            "lstm": {**encoder, "n_layers": encoder["n_layers"], "use_skip_connections": True},
        }
        if embedder["char_dim"]:
            ours["char_cnn"] = {
                **embedder,
                "n_highway": embedder["n_highway"],
                "embedding": {"dim": embedder["char_dim"]},
                "n_characters": n_characters,
            }
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{source} is not a configuration of ELMoForManyLangs ({cause_of(error)})"
        ) from None
    return parse_options(json.dumps(ours), source)


def _token_arrays(options: ModelOptions, file: TorchFile, folder: Path) -> dict[str, np.ndarray]:
    """The token encoder, by our names."""
    width = options.n_filters
    expected: dict[str, tuple[int, ...]] = {
        "projection.weight": (options.projection_dim, options.token_dim),
        "projection.bias": (options.projection_dim,),
    }
    if options.n_words:
        expected[WORDS] = (options.n_words, options.word_dim)
    if options.filters:
        expected[CHARACTERS] = (options.n_characters, options.char_dim)
        for i, (length, n) in enumerate(options.filters):
            expected[f"convolutions.{i}.weight"] = (n, options.char_dim, length)
            expected[f"convolutions.{i}.bias"] = (n,)
        for i in range(options.n_highway):
            expected[f"highways._layers.{i}.weight"] = (2 * width, width)
            expected[f"highways._layers.{i}.bias"] = (2 * width,)
    _check_arrays(expected, file, folder / "token_embedder.pkl")
    arrays = {
        "CNN_proj/W_proj": file.read("projection.weight").T,
        "CNN_proj/b_proj": file.read("projection.bias"),
    }
    if options.n_words:
        arrays["embedding"] = file.read(WORDS)
    if not options.filters:
        return arrays
    arrays["char_embed"] = file.read(CHARACTERS)
    for i in range(len(options.filters)):
        kernel = file.read(f"convolutions.{i}.weight")
        arrays[f"CNN/W_cnn_{i}"] = kernel.transpose(2, 1, 0)[np.newaxis]
        arrays[f"CNN/b_cnn_{i}"] = file.read(f"convolutions.{i}.bias")
    for i in range(options.n_highway):
        weight = file.read(f"highways._layers.{i}.weight").T
        bias = file.read(f"highways._layers.{i}.bias")
        # Their gate keeps the input where bilm-tf's lets the transform through: 1 - σ(x) = σ(-x).
        high = f"CNN_high_{i}"
        arrays[f"{high}/W_transform"], arrays[f"{high}/b_transform"] = (
            weight[:, :width],
            bias[:width],
        )
        arrays[f"{high}/W_carry"], arrays[f"{high}/b_carry"] = -weight[:, width:], -bias[width:]
    return arrays


def _lstm_arrays(options: ModelOptions, file: TorchFile, folder: Path) -> dict[str, np.ndarray]:
    """The LSTMs, by our names."""
    width, dim = options.projection_dim, options.lstm_dim
    arrays: dict[str, np.ndarray] = {}
    known: dict[str, tuple[int, ...]] = {}
    for direction, reading in enumerate(("forward", "backward")):
        for layer in range(options.n_layers):
            theirs, ours = f"{reading}_layer_{layer}", cell_name(direction, layer)
            expected = {
                f"{theirs}.input_linearity.weight": (4 * dim, width),
                f"{theirs}.state_linearity.weight": (4 * dim, width),
                f"{theirs}.state_linearity.bias": (4 * dim,),
                f"{theirs}.state_projection.weight": (width, dim),
            }
            check_shapes(expected, file.shapes, str(folder / "encoder.pkl"))
            known |= expected
            inputs, states, bias, projection = expected
            weight = np.empty((2 * width, 4 * dim), np.float32)
            weight[:width] = _reordered(file.read(inputs)).T
            weight[width:] = _reordered(file.read(states)).T
            arrays[f"{ours}/W_0"] = weight
            arrays[f"{ours}/B"] = _reordered(file.read(bias))
            arrays[f"{ours}/B"][2 * dim : 3 * dim] -= np.float32(FORGET_BIAS)
            arrays[f"{ours}/W_P_0"] = file.read(projection).T
    _check_arrays(known, file, folder / "encoder.pkl")
    return arrays


def _check_arrays(expected: dict[str, tuple[int, ...]], file: TorchFile, path: Path) -> None:
    """As the authors' loader, which takes no array that the configuration does not ask for."""
    check_shapes(expected, file.shapes, str(path))
    for name in file.shapes:
        if name not in expected:
            raise UserError(
                f"{path} has an array {name}, which its configuration does not ask for: they are "
                "not from the same model"
            )


def _reordered(gates: np.ndarray) -> np.ndarray:
    """A copy of [4 × dim, …] in our order of gates, from theirs: i, f, g, o to i, j, f, o."""
    return gates.reshape(4, -1, *gates.shape[1:])[[0, 2, 1, 3]].reshape(gates.shape)


FORMAT = ModelFormat(
    "ELMoForManyLangs", read=lambda folder, options, trust_model: read_many_langs(folder)
)
