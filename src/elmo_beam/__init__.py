"""elmo-beam: large text corpora to ELMo embeddings.

    import elmo_beam

    run = elmo_beam.embed("shards/*.txt.gz", "vectors", split_sentences=True)
    vectors, offsets = run.arrays("elmo")

Everything in `__all__` is imported when it is first used: TensorFlow, Beam and Arrow take seconds.
"""

import sys
from importlib import import_module

# Type checkers know this name. It is not imported from `typing`, which takes a while, and which a
# file in the current folder may replace until __main__.py has removed that folder from the path.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from elmo_beam.elmo.errors import ArgumentError as ArgumentError
    from elmo_beam.elmo.errors import UserError as UserError
    from elmo_beam.elmo.formats.handles import load_encoder as load_encoder
    from elmo_beam.elmo.keras_layer import ElmoLayer as ElmoLayer
    from elmo_beam.elmo.preparation import joined_tokens as joined_tokens
    from elmo_beam.elmo.preparation import padded_tokens as padded_tokens
    from elmo_beam.elmo.preparation import sentence_length as sentence_length
    from elmo_beam.pipeline.embedding import IncompleteRun as IncompleteRun
    from elmo_beam.pipeline.embedding import embed as embed
    from elmo_beam.transforms.embed_shards import EmbedShards as EmbedShards
    from elmo_beam.transforms.files.settings import Settings as Settings
    from elmo_beam.transforms.inference import ElmoEmbeddings as ElmoEmbeddings
    from elmo_beam.transforms.inference import ElmoTexts as ElmoTexts
    from elmo_beam.transforms.outputs.tfrecord import parse_tfrecord as parse_tfrecord
    from elmo_beam.transforms.readers.pooled_words import pooled_words as pooled_words
    from elmo_beam.transforms.readers.pytorch import torch_collate as torch_collate
    from elmo_beam.transforms.readers.pytorch import torch_dataset as torch_dataset
    from elmo_beam.transforms.readers.run import Run as Run
    from elmo_beam.transforms.readers.run import open_run as open_run
    from elmo_beam.transforms.readers.run import tf_dataset as tf_dataset
    from elmo_beam.transforms.readers.word_vectors import save_word_vectors as save_word_vectors
    from elmo_beam.transforms.readers.word_vectors import word_vectors as word_vectors
    from elmo_beam.transforms.text_encoder import TextEncoder as TextEncoder

__version__ = "0.1.0"

# Each public name, and the module below this package that defines it.
_HOME = {
    "ArgumentError": "elmo.errors",
    "ElmoEmbeddings": "transforms.inference",
    "ElmoLayer": "elmo.keras_layer",
    "ElmoTexts": "transforms.inference",
    "EmbedShards": "transforms.embed_shards",
    "IncompleteRun": "pipeline.embedding",
    "Run": "transforms.readers.run",
    "Settings": "transforms.files.settings",
    "TextEncoder": "transforms.text_encoder",
    "UserError": "elmo.errors",
    "embed": "pipeline.embedding",
    "joined_tokens": "elmo.preparation",
    "load_encoder": "elmo.formats.handles",
    "open_run": "transforms.readers.run",
    "padded_tokens": "elmo.preparation",
    "parse_tfrecord": "transforms.outputs.tfrecord",
    "pooled_words": "transforms.readers.pooled_words",
    "save_word_vectors": "transforms.readers.word_vectors",
    "sentence_length": "elmo.preparation",
    "tf_dataset": "transforms.readers.run",
    "torch_collate": "transforms.readers.pytorch",
    "torch_dataset": "transforms.readers.pytorch",
    "word_vectors": "transforms.readers.word_vectors",
}

__all__ = [
    "ArgumentError",
    "ElmoEmbeddings",
    "ElmoLayer",
    "ElmoTexts",
    "EmbedShards",
    "IncompleteRun",
    "Run",
    "Settings",
    "TextEncoder",
    "UserError",
    "__version__",
    "embed",
    "joined_tokens",
    "load_encoder",
    "open_run",
    "padded_tokens",
    "parse_tfrecord",
    "pooled_words",
    "save_word_vectors",
    "sentence_length",
    "tf_dataset",
    "torch_collate",
    "torch_dataset",
    "word_vectors",
]

if "IPython" in sys.modules:  # a notebook may use Beam before anything of this package
    import_module("elmo_beam.transforms.beam_in_ipython")


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
