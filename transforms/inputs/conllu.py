"""CoNLL-U files: tokenized sentences and their parts of speech.

The format is that of Universal Dependencies: one word per line, ten columns separated by tabs, a
blank line after each sentence, comments after `#`. Multiword tokens (`1-2`) and empty nodes (`8.1`)
are skipped.
"""

from __future__ import annotations

from elmo_beam.elmo.errors import UserError
from elmo_beam.elmo.wording import counted
from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.inputs.shards import Damaged, Unread, stat_shard
from elmo_beam.transforms.inputs.text_stream import TextStream

COLUMNS, ID, FORM, UPOS = 10, 0, 1, 3

TaggedSentence = tuple[list[str], list[str]]  # forms and tags, equally many


def read_conllu(path: str, most: int | None = None) -> list[TaggedSentence]:
    """The file's sentences, the first `most` of them; UserError if it is not CoNLL-U."""
    try:
        with TextStream(stat_shard(path)) as stream:
            data = b"".join(iter(lambda: stream.read(1 << 20), b""))
        check_text(data)
    except Damaged as damage:
        raise UserError(f"{path} {damage}") from None
    except Unread as cause:
        raise UserError(f"cannot read {path} ({cause})") from None
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from None
    sentences: list[TaggedSentence] = []
    forms: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        line = line.removeprefix("\ufeff").removesuffix("\r")
        if not line.strip():
            if forms:
                sentences.append((forms, tags))
                forms, tags = [], []
            if most is not None and len(sentences) >= most:
                break
            continue
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            raise UserError(
                f"{path} is not CoNLL-U: line {number} has {counted(len(columns), 'column')}, not "
                f"{COLUMNS}"
            )
        if columns[ID].isdecimal():
            forms.append(columns[FORM])
            tags.append(columns[UPOS])
    if not sentences:
        raise UserError(f"{path} has no sentences: expected a CoNLL-U file")
    return sentences
