"""Text shards to one corpus of sentences in memory: what a language model is trained on."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.sentences import Sentences
from elmo_beam.transforms.embed import sentences_of
from elmo_beam.transforms.files.layout import shard_stem
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.files.storage import join, read_bytes, write_bytes
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.shards import Damaged, Unread
from elmo_beam.transforms.normalize import SentenceBlock, normalize_block
from elmo_beam.transforms.plan import Plan, make_plan
from elmo_beam.transforms.read import RawBlock
from elmo_beam.transforms.text.reader import TextReader

HELD_OUT_OF = 100  # one sentence in this many is not trained on


@dataclass(frozen=True)
class Corpus:
    """Sentences, and what became of the lines that they come from.

    held_out: bool [sentences]. It is chosen by a hash of the sentence's tokens, so of a sentence
    that occurs several times, all copies are held out or none.
    """

    sentences: Sentences
    held_out: np.ndarray
    lines: int = 0
    blank: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


def sentence_blocks(path: str, settings: Settings, reader: TextReader) -> Iterator[SentenceBlock]:
    """Read, normalize and tokenize a shard block by block, without a pipeline.

    Raises Damaged or Unread before the first block if the shard is not whole.
    """
    plan = _whole(path, settings)
    tables = input_format(path).read(plan.shard, plan.blocks, settings)
    for key, table in zip(plan.keys, tables, strict=True):
        yield normalize_block(RawBlock(key, [table]), reader, settings)


def _whole(path: str, settings: Settings) -> Plan:
    """The plan of a shard; raises Damaged or Unread if it is not whole."""
    plan = make_plan(path, settings)
    if plan.damaged is not None:
        raise Damaged(plan.damaged)
    if plan.unread is not None:
        raise Unread(plan.unread)
    return plan


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """UserError for a shard that is damaged or cannot be read."""
    try:
        yield
    except Damaged as damage:
        raise UserError(
            f"damaged: {path} {damage}: replace it, or leave it out of `inputs`"
        ) from None
    except Unread as cause:
        raise UserError(
            f"cannot read {path} ({cause}): run the same command again, or leave the file out "
            "of `inputs`"
        ) from None


def content_of(path: str, settings: Settings) -> str:
    """What identifies a shard's content; UserError if it is damaged or cannot be read."""
    with _explained(path):
        return _whole(path, settings).content


def read_corpus(
    paths: list[str],
    settings: Settings,
    cache: tuple[str, str] | None,
    progress: Callable[[int], None],
) -> Corpus:
    """All shards' sentences; UserError if one is damaged or cannot be read.

    cache: an output folder and a folder below it where each shard's sentences are kept, so that
    they are tokenized once; a shard that has changed is read again. progress: called before each
    shard with the number of those read.
    """
    parts = []
    for i, path in enumerate(paths):
        progress(i)
        with _explained(path):
            parts.append(_cached(path, settings, *cache) if cache else _read(path, settings))
    return joined(parts)


def joined(parts: list[Corpus]) -> Corpus:
    """Several corpora as one."""
    return Corpus(
        Sentences.joined([part.sentences for part in parts]),
        np.concatenate([np.zeros(0, bool), *(part.held_out for part in parts)]),
        sum(part.lines for part in parts),
        sum(part.blank for part in parts),
        sum((part.rejected for part in parts), Counter()),
    )


def _read(path: str, settings: Settings) -> Corpus:
    blocks = sentence_blocks(path, settings, TextReader(settings))
    return joined([_corpus_of(block) for block in blocks])


def _corpus_of(block: SentenceBlock) -> Corpus:
    held_out = [_is_held_out(tokens) for tokens in block.sentences["tokens"].to_pylist()]
    return Corpus(
        sentences_of(block.sentences),
        np.array(held_out, bool),
        block.total("lines"),
        block.total("blank"),
        Counter(block.rejected),
    )


def _is_held_out(tokens: list[str]) -> bool:
    digest = hashlib.blake2b(" ".join(tokens).encode("utf-8", "ignore"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % HELD_OUT_OF == 0


def _cached(path: str, settings: Settings, root: str, folder: str) -> Corpus:
    name = join(folder, f"{shard_stem(path)}.npz")
    stamp = f"{_whole(path, settings).content} {settings.fingerprint}"
    kept = read_bytes(name)
    if kept is not None:
        corpus = _unpacked(kept, stamp)
        if corpus is not None:
            return corpus
    corpus = _read(path, settings)
    write_bytes(root, name, _packed(corpus, stamp))
    return corpus


def _packed(corpus: Corpus, stamp: str) -> bytes:
    words = [word.encode("utf-8") for word in corpus.sentences.vocabulary]
    file = io.BytesIO()
    np.savez(
        file,
        stamp=np.array(stamp),
        words=np.frombuffer(b"".join(words), np.uint8),
        word_sizes=np.array([len(word) for word in words], np.int64),
        ids=corpus.sentences.ids,
        offsets=corpus.sentences.offsets,
        held_out=corpus.held_out,
        lines=np.array([corpus.lines, corpus.blank]),
        reasons=np.array(list(corpus.rejected), str),
        rejected=np.array(list(corpus.rejected.values()), np.int64),
    )
    return file.getvalue()


def _unpacked(data: bytes, stamp: str) -> Corpus | None:
    """What `_packed` kept, None if it is of another shard or other settings, or damaged."""
    try:
        with np.load(io.BytesIO(data)) as kept:
            if str(kept["stamp"]) != stamp:
                return None
            text, ends = kept["words"].tobytes(), np.cumsum([0, *kept["word_sizes"]])
            words = [text[a:b].decode() for a, b in pairwise(ends)]
            lines, blank = (int(n) for n in kept["lines"])
            rejected = zip(kept["reasons"].tolist(), kept["rejected"].tolist(), strict=True)
            return Corpus(
                Sentences(words, kept["ids"], kept["offsets"]),
                kept["held_out"],
                lines,
                blank,
                Counter(dict(rejected)),
            )
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        return None
