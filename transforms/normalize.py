"""Blocks of raw lines to blocks of tokenized sentences, and rejects."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from elmo_beam.transforms.accounts import BlockKey, Counts, Piece
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.formats import input_format
from elmo_beam.transforms.inputs.lines import HEAD, Record, Rejected
from elmo_beam.transforms.kept_fields import KeptFields
from elmo_beam.transforms.outputs.schema import sentence_schema
from elmo_beam.transforms.read import RawBlock
from elmo_beam.transforms.text.reader import Sentence, TextReader
from elmo_beam.transforms.words.finder import Occurrences, word_finder, word_keys


@dataclass(frozen=True)
class SentenceBlock:
    """A block's sentences, as a table of `sentence_schema`, and what became of all other lines.

    counts: the accounts of each of the key's pieces. If a run is of words, the sentences are those
    that have one, and occurrences says where.
    """

    key: BlockKey
    sentences: pa.Table
    counts: list[Counts]
    rejects: list[dict[str, Any]]
    occurrences: Occurrences | None = None

    def __len__(self) -> int:
        return int(self.sentences.num_rows)

    def total(self, name: str) -> int:
        """The sum of one count over the pieces."""
        return sum(getattr(counts, name) for counts in self.counts)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected lines by reason."""
        return dict(Counter(reject["reason"] for reject in self.rejects))


def normalize_block(raw: RawBlock, reader: TextReader, settings: Settings) -> SentenceBlock:
    """Normalize, split and tokenize every line.

    A line is embedded, blank, rejected or, if the run is of words, passed over, as a whole.
    """
    work = _Normalizer(reader, settings)
    done = [work.piece(*of) for of in zip(raw.key.pieces, raw.tables, strict=True)]
    table = work.columns.table(pa.concat_tables([fields for _, fields in done]))
    counts = [counts for counts, _ in done]
    return SentenceBlock(raw.key, table, counts, work.rejects, work.occurrences)


class _Normalizer:
    """Lines to sentences, piece by piece of a block."""

    def __init__(self, reader: TextReader, settings: Settings) -> None:
        self._reader, self._settings = reader, settings
        self._finder = word_finder(settings.words, settings.word_case) if settings.words else None
        self.occurrences = Occurrences() if settings.words else None
        self.columns = _Columns(settings)
        self.rejects: list[dict[str, Any]] = []

    def piece(self, piece: Piece, table: pa.Table) -> tuple[Counts, pa.Table]:
        """The accounts of a piece, and the kept fields of its rows."""
        count, reasons = Counter[str](), Counter[str]()
        fields = KeptFields(table, self._settings)
        source = input_format(piece.shard)
        most_tokens = source.most_tokens(self._settings)
        lines = table.select(["raw", "length", "offset"]).to_pylist()
        records = source.records(table, self._settings)
        for at, (line, record) in enumerate(zip(lines, records, strict=True)):
            number = piece.block.line + at
            try:
                if isinstance(record, Rejected):
                    raise record
                values = fields.read(record)
                sentences = self._reader.read(record, most_tokens)
            except Rejected as rejection:
                reasons[rejection.reason] += 1
                own = {"id": record.identity} if self._settings.id_field else {}
                own |= fields.of_reject(at, record)
                self.rejects.append(_reject(piece, line, number, rejection.reason, own))
                continue
            kept = self._wanted(sentences, record, count)
            if not sentences:
                count["blank"] += 1
            elif not kept:
                count["passed_over"] += 1
            else:
                count["embedded"] += 1
                count["tokens"] += sum(len(sentence.tokens) for _, sentence in kept)
                self.columns.add(piece.shard, number, line["offset"], record.identity, kept)
                fields.add(at, record, values, [sentence for _, sentence in kept])
        return _counts(piece, count, reasons), fields.table()

    def _wanted(
        self, sentences: list[Sentence], record: Record, count: Counter[str]
    ) -> list[tuple[int, Sentence]]:
        """A line's sentences by their number; of a run of words those that have one."""
        kept = list(enumerate(sentences))
        if self._finder is None or self.occurrences is None:
            count["rows"] += len(kept)
            return kept
        notes, key = record.annotations, self._settings.word_key
        keys = [word_keys(s.tokens, s.start, notes, key) for s in sentences]
        found = [self._finder.find(of_sentence) for of_sentence in keys]
        kept = [(i, sentence) for i, sentence in kept if found[i]]
        count["passed_sentences"] += len(sentences) - len(kept)
        count["rows"] += sum(map(len, found))
        for row, (i, sentence) in enumerate(kept, len(self.columns)):
            self.occurrences.add(row, sentence.tokens, found[i])
        return kept


def _counts(piece: Piece, count: Counter[str], reasons: Counter[str]) -> Counts:
    block = piece.block
    where = (piece.shard, piece.content, block.start, block.length, block.lines)
    return Counts(
        *where,
        embedded=count["embedded"],
        blank=count["blank"],
        rejected=dict(reasons),
        rows=count["rows"],
        tokens=count["tokens"],
        passed_over=count["passed_over"],
        passed_sentences=count["passed_sentences"],
    )


def _reject(
    piece: Piece,
    line: dict[str, Any],
    number: int,
    reason: str,
    own: dict[str, Any],
) -> dict[str, Any]:
    head = (line["raw"] or b"")[:HEAD]
    return {
        "shard": piece.shard,
        "line": number,
        "offset": line["offset"],
        "reason": reason,
        **own,
        "length": line["length"],
        "raw": base64.b64encode(head).decode(),
    }


class _Columns:
    """The columns of a block's sentences, as they grow."""

    def __init__(self, settings: Settings) -> None:
        self._schema = sentence_schema(settings)
        self._columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        self._tokens: list[str] = []

    def __len__(self) -> int:
        return len(self._columns["line"])

    def add(
        self,
        shard: str,
        line: int,
        offset: int,
        identity: str | None,
        sentences: list[tuple[int, Sentence]],
    ) -> None:
        """One line's sentences, each with its number."""
        for i, sentence in sentences:
            row = {
                "shard": shard,
                "line": line,
                "offset": offset,
                "sentence": i,
                "id": identity,
                "text": sentence.text,
                "num_tokens": len(sentence.tokens),
                "truncated": sentence.truncated,
            }
            self._tokens.extend(sentence.tokens)
            for name in row.keys() & self._columns.keys():
                self._columns[name].append(row[name])

    def table(self, fields: pa.Table) -> pa.Table:
        """All of it, with the kept fields, in the schema's order."""
        arrays = {n: pa.array(c, self._schema.field(n).type) for n, c in self._columns.items() if c}
        offsets = np.cumsum([0, *self._columns["num_tokens"]], dtype=np.int32)
        arrays["tokens"] = pa.ListArray.from_arrays(
            pa.array(offsets), pa.array(self._tokens, pa.string())
        )
        empty = {f.name: pa.array([], f.type) for f in self._schema}
        arrays |= {name: fields[name].combine_chunks() for name in fields.column_names}
        return pa.table([{**empty, **arrays}[n] for n in self._schema.names], schema=self._schema)
