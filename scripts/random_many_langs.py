"""Write an ELMoForManyLangs model of seeded random weights, in its authors' own files.

None of the published ones is available everywhere, and speed does not depend on what a model has
learned. PyTorch is not needed: the files are as `torch.save` writes them, without it.

    python scripts/random_many_langs.py OUT_DIR [--words 100000] [--zip]
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SPECIAL_WORDS = ("<oov>", "<bos>", "<eos>", "<pad>")
SPECIAL_CHARACTERS = ("<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>")
# Where in the authors' configuration the published models differ from none of the others.
PUBLISHED: dict[str, Any] = {
    "encoder": {"name": "elmo", "projection_dim": 512, "cell_clip": 3, "proj_clip": 3,
                "dim": 4096, "n_layers": 2},
    "token_embedder": {
        "name": "cnn", "activation": "relu", "n_highway": 2, "word_dim": 100, "char_dim": 50,
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "max_characters_per_token": 50,
    },
    "classifier": {"name": "sampled_softmax", "n_samples": 8192},
    "dropout": 0.1,
}  # fmt: skip


class _Storage:
    def __init__(self, key: str, array: np.ndarray) -> None:
        self.key, self.array = key, array


class _Tensor:
    def __init__(self, storage: _Storage) -> None:
        self.storage = storage

    def __reduce__(self) -> Any:
        array = self.storage.array
        strides = tuple(step // array.itemsize for step in array.strides)
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, 0, array.shape, strides, False, OrderedDict())


class _Pickler(pickle.Pickler):
    zipped = False

    def persistent_id(self, found: Any) -> Any:
        if not isinstance(found, _Storage):
            return None
        kinds = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "i4": "Int"}
        kind = getattr(sys.modules["torch"], f"{kinds[found.array.dtype.str[1:]]}Storage")
        plain = ("storage", kind, found.key, "cuda:0", found.array.size)
        return plain if self.zipped else (*plain, None)


def save(arrays: Arrays, path: Path, zipped: bool = False) -> None:
    """Write a dictionary of tensors as `torch.save` does, in its older format or its later one."""
    storages = {
        n: _Storage(str(i), np.asarray(a, order="C")) for i, (n, a) in enumerate(arrays.items())
    }
    state: OrderedDict[str, Any] = OrderedDict((n, _Tensor(s)) for n, s in storages.items())
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    with _TorchByName():
        if zipped:
            data = io.BytesIO()
            pickler = _Pickler(data, 2)
            pickler.zipped = True
            pickler.dump(state)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{path.stem}/data.pkl", data.getvalue())
                for storage in storages.values():
                    archive.writestr(f"{path.stem}/data/{storage.key}", storage.array.tobytes())
                archive.writestr(f"{path.stem}/version", "3\n")
            return
        with path.open("wb") as file:
            system = {
                "protocol_version": PROTOCOL,
                "little_endian": True,
                "type_sizes": {"short": 2, "int": 4, "long": 4},
            }
            for head in (MAGIC, PROTOCOL, system):
                pickle.dump(head, file, 2)
            _Pickler(file, 2).dump(state)
            pickle.dump([storage.key for storage in storages.values()], file, 2)
            for storage in storages.values():
                file.write(storage.array.size.to_bytes(8, "little"))
                file.write(storage.array.tobytes())


class _TorchByName:
    """Modules of PyTorch's names, while something is pickled that refers to them."""

    def __enter__(self) -> None:
        self._before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
        torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
        for kind in ("Float", "Double", "Half", "Long", "Int"):
            name = f"{kind}Storage"
            setattr(torch, name, type(name, (), {"__module__": "torch"}))

        def _rebuild_tensor_v2(*_: Any) -> None:
            raise AssertionError("for its name only")

        _rebuild_tensor_v2.__module__ = "torch._utils"
        _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
        utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
        sys.modules |= {"torch": torch, "torch._utils": utils}

    def __exit__(self, *_: object) -> None:
        for name, module in self._before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def random_arrays(
    shape: Mapping[str, Any], n_words: int, n_characters: int, seed: int = 1
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of token_embedder.pkl and encoder.pkl for a configuration of the authors'."""
    rng = np.random.default_rng(seed)

    def drawn(*size: int) -> np.ndarray:
        array = rng.standard_normal(size, np.float32)
        return array * np.float32(0.1 if len(size) == 1 else 1 / np.sqrt(np.prod(size[1:])))

    token, encoder = shape["token_embedder"], shape["encoder"]
    embedder: dict[str, np.ndarray] = {}
    if token["word_dim"]:
        embedder["word_emb_layer.embedding.weight"] = drawn(n_words, token["word_dim"])
    filters = token["filters"] if token["char_dim"] else []
    width = sum(n for _, n in filters)
    if filters:
        embedder["char_emb_layer.embedding.weight"] = drawn(n_characters, token["char_dim"])
        for i, (length, n) in enumerate(filters):
            embedder[f"convolutions.{i}.weight"] = drawn(n, token["char_dim"], length)
            embedder[f"convolutions.{i}.bias"] = drawn(n)
        for i in range(token["n_highway"]):
            embedder[f"highways._layers.{i}.weight"] = drawn(2 * width, width)
            embedder[f"highways._layers.{i}.bias"] = drawn(2 * width)
    projection, dim = encoder["projection_dim"], encoder["dim"]
    embedder["projection.weight"] = drawn(projection, token["word_dim"] + width)
    embedder["projection.bias"] = drawn(projection)
    lstms = {}
    for layer in range(encoder["n_layers"]):
        for direction in ("forward", "backward"):
            name = f"{direction}_layer_{layer}"
            lstms[f"{name}.input_linearity.weight"] = drawn(4 * dim, projection)
            lstms[f"{name}.state_linearity.weight"] = drawn(4 * dim, projection)
            lstms[f"{name}.state_linearity.bias"] = drawn(4 * dim)
            lstms[f"{name}.state_projection.weight"] = 2 * drawn(projection, dim)
    return embedder, lstms


def write_model(
    folder: Path,
    words: Sequence[str],
    characters: Sequence[str],
    shape: Mapping[str, Any] = PUBLISHED,
    zipped: bool = False,
    seed: int = 1,
) -> None:
    """Write a model whose lexicons are the special tokens and then these."""
    folder.mkdir(parents=True, exist_ok=True)
    lexicons = {"word": [*SPECIAL_WORDS, *words], "char": [*SPECIAL_CHARACTERS, *characters]}
    for kind, tokens in lexicons.items():
        if shape["token_embedder"][f"{kind}_dim"]:
            lines = (f"{token}\t{i}\n" for i, token in enumerate(tokens))
            (folder / f"{kind}.dic").write_text("".join(lines), encoding="utf-8")
    config = {"seed": 1, "config_path": "configs/shape.json", "min_count": 3}
    if shape is not PUBLISHED:
        config["config_path"] = "shape.json"
        (folder / "shape.json").write_text(json.dumps(shape), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    embedder, encoder = random_arrays(shape, len(lexicons["word"]), len(lexicons["char"]), seed)
    save(embedder, folder / "token_embedder.pkl", zipped)
    save(encoder, folder / "encoder.pkl", zipped)


def main() -> None:
    """Write the model that the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--words", type=int, default=100_000, metavar="N", help="in its lexicon")
    parser.add_argument("--zip", action="store_true", help="PyTorch's later format of files")
    args = parser.parse_args()
    characters = [chr(c) for c in range(33, 6000) if chr(c).isprintable()]
    write_model(args.folder, [f"word{i}" for i in range(args.words)], characters, zipped=args.zip)
    size = sum(file.stat().st_size for file in args.folder.iterdir())
    print(f"{args.folder}: {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
