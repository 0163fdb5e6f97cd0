"""Model handles: what each one opens, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from elmo_beam.elmo.encoder.encoder import Encoder
from elmo_beam.elmo.formats.bilm_hdf5 import read_bilm, write_bilm
from elmo_beam.elmo.formats.handles import (
    load_encoder,
    load_sentence_encoder,
    model_folder,
    read_weights,
)
from elmo_beam.elmo.formats.hub_module import HubModule
from elmo_beam.elmo.formats.model_format import ModelFormat, OwnEncoder
from elmo_beam.elmo.formats.registry import MODEL_FORMATS
from elmo_beam.elmo.model.options import ModelOptions
from elmo_beam.elmo.sentences import Sentences
from tests.helpers.hub_modules import copy_module
from tests.helpers.oracle import Oracle, assert_close, random_weights
from tests.helpers.refusal import refused

GOOGLE_ELMO = "https://tfhub.dev/google/elmo/3"
MEMORY = 1 << 24
OPTIONS = ModelOptions(
    filters=((1, 4),), char_dim=4, activation="relu", n_highway=0, max_characters=50, lstm_dim=6,
    projection_dim=5, n_layers=1, cell_clip=None, proj_clip=None, use_skip_connections=False,
)  # fmt: skip


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A small model of its own in the published layout."""
    write_bilm(random_weights(OPTIONS), tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of tensorflow_hub."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_default_has_its_documented_shape() -> None:
    weights = read_weights("default")
    assert weights.options == ModelOptions(
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256)), char_dim=16, activation="relu",
        n_highway=1, max_characters=50, lstm_dim=512, projection_dim=128, n_layers=2,
        cell_clip=3.0, proj_clip=3.0, use_skip_connections=True,
    )  # fmt: skip
    assert weights.digest == read_weights("default").digest


def test_default_computes_what_its_weights_say() -> None:
    weights = read_weights("default")
    text = [["The", "bird", "sang", "."]]
    (part,) = load_sentence_encoder("default", "native", MEMORY).passes(
        Sentences.from_lists(text), ["elmo"]
    )
    assert_close(part.vectors["elmo"], Oracle(weights).encode(text[0])["elmo"], 1e-5)


def test_default_is_the_packages_own_whatever_the_working_folder_holds(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.rename(published.with_name("default"))
    monkeypatch.chdir(published.parent)
    assert read_weights("default").options.lstm_dim == 512
    assert read_weights("./default").options == OPTIONS


def test_a_folders_format_is_known_by_its_files(
    published: Path, hub_module: Path, bilm_tf: Path, tmp_path: Path
) -> None:
    for folder in (published, hub_module):
        assert model_folder(str(folder)) == model_folder(f"file://{folder}") == folder
    assert read_weights(str(published)).options == OPTIONS
    module = read_weights(str(hub_module), "module")
    assert module.options.shapes() == read_bilm(bilm_tf).options.shapes()
    both = copy_module(hub_module, tmp_path / "both")
    (both / "options.json").write_text("of something else")
    assert read_weights(str(both), "module").digest == module.digest


MARKER = "random.seed"
FORMAT = ModelFormat(
    "random numbers",
    read=lambda folder, options, trust_model: random_weights(
        OPTIONS, int((folder / MARKER).read_text())
    ),
    own_encoder=OwnEncoder(
        read=lambda folder: random_weights(OPTIONS, seed=8),
        load=lambda folder, options, memory, trust_model: Encoder(
            random_weights(options, seed=8), memory
        ),
    ),
)


def test_a_new_format_is_a_module_and_the_file_that_marks_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This test module is one: its models are random numbers, drawn from the seed in the file."""
    handle, text = str(tmp_path), ["a", "bird"]
    (tmp_path / MARKER).write_text("7")
    with refused(handle, "no model in folder", *MODEL_FORMATS):
        read_weights(handle)
    monkeypatch.setitem(MODEL_FORMATS, MARKER, __name__)
    drawn = random_weights(OPTIONS, seed=7)
    assert read_weights(handle).digest == drawn.digest
    got = load_encoder(handle).encode([text])["elmo"]
    assert_close(got, Oracle(drawn).encode(text)["elmo"], 1e-5)
    drawn = random_weights(OPTIONS, seed=8)
    own = load_sentence_encoder(handle, "module", MEMORY, digest=drawn.digest)
    (part,) = own.passes(Sentences.from_lists([text]), ["elmo"])
    assert_close(part.vectors["elmo"], Oracle(drawn).encode(text)["elmo"], 1e-5)


def test_the_default_models_vectors() -> None:
    found = load_encoder("default").encode([["The", "bank"]], ["elmo", "default"])
    shapes = {name: vectors.shape for name, vectors in found.items()}
    assert shapes == {"elmo": (2, 256), "default": (1, 256)}


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with refused(tmp_path / "nowhere", "no model"):
        read_weights(str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    with refused(tmp_path / "file", "neither a folder"):
        read_weights(str(tmp_path / "file"))


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    with refused(tmp_path, "saved_model.pb"):
        read_weights(str(tmp_path))


@pytest.mark.parametrize("url", [GOOGLE_ELMO, "https://example.com/elmo.tar.gz"])
def test_a_url_leads_to_the_cache_of_tensorflow_hub(
    hub_module: Path, hub_cache: Path, url: str
) -> None:
    folder = hub_cache / hashlib.sha1(url.encode()).hexdigest()
    copy_module(hub_module, folder)
    assert model_folder(url) == folder
    by_path = read_weights(str(hub_module), "module")
    assert read_weights(url, "module").digest == by_path.digest
    assert read_weights(url, options=by_path.options).digest == by_path.digest


def test_a_url_that_cannot_be_fetched_is_refused(hub_cache: Path) -> None:
    with refused("http://127.0.0.1:1/elmo", "TFHUB_CACHE_DIR"):
        model_folder("http://127.0.0.1:1/elmo")
    assert not list(hub_cache.glob("[0-9a-f]*")), "a failed download looks like a cached module"


def test_native_encoder(published: Path, hub_module: Path) -> None:
    for handle in (published, hub_module):
        weights = read_weights(str(handle))
        encoder = load_sentence_encoder(
            str(handle), "native", MEMORY, weights.options, weights.digest
        )
        assert isinstance(encoder, Encoder)
        assert encoder.options == weights.options


def test_module_encoder(hub_module: Path) -> None:
    digest = read_weights(str(hub_module), "module").digest
    encoder = load_sentence_encoder(str(hub_module), "module", MEMORY, digest=digest)
    assert isinstance(encoder, HubModule)
    (part,) = encoder.passes(Sentences.from_lists([["a"], ["b", "c"]]), ["default"])
    assert part.vectors["default"].shape == (2, 32)
    assert np.isfinite(part.vectors["default"]).all()


@pytest.mark.parametrize("read", [read_weights, lambda h, e: load_sentence_encoder(h, e, MEMORY)])
def test_module_encoder_needs_a_module(published: Path, read: object) -> None:
    assert callable(read)
    for handle in (str(published), "default"):
        with refused("`encoder` module", handle):
            read(handle, "module")


@pytest.mark.parametrize("encoder", ["native", "module"])
def test_weights_of_another_digest_are_refused(hub_module: Path, encoder: str) -> None:
    here = read_weights(str(hub_module), encoder)
    with refused(hub_module, here.digest[:12], "f" * 12):
        load_sentence_encoder(str(hub_module), encoder, MEMORY, here.options, "f" * 64)


def test_published_weights_of_another_digest_are_refused(published: Path) -> None:
    other = random_weights(OPTIONS, seed=1).digest
    with refused(published, read_weights(str(published)).digest[:12], other[:12]):
        load_sentence_encoder(str(published), "native", MEMORY, digest=other)


def test_weights_can_be_read_without_tensorflow(published: Path) -> None:
    """`import tensorflow` takes seconds, and the command needs only the digest."""
    program = (
        "import sys; from elmo_beam.elmo.formats.handles import read_weights;"
        "print(read_weights(sys.argv[1]).digest);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(published)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == read_weights(str(published)).digest
