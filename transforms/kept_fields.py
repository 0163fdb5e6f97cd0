"""The kept fields of a run: their types, and a block's values as columns with one for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from elmo_beam.elmo.errors import UserError
from elmo_beam.transforms.files.settings import Settings
from elmo_beam.transforms.inputs.fields import checked_fields, kept_fields, parsed_field, type_text
from elmo_beam.transforms.inputs.formats import field_type
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.inputs.shards import Damaged, Unread
from elmo_beam.transforms.inputs.values import converted, json_value, json_values
from elmo_beam.transforms.text.reader import Sentence


class KeptFields:
    """The kept fields of a block's rows, as they grow.

    A field that the block's lines have as a column is taken from it at the end, all rows at once.
    """

    def __init__(self, lines: pa.Table, settings: Settings) -> None:
        self._lines, self._schema = lines, kept_fields(settings.keep_fields)
        self._values: dict[str, list[Any]] = {
            name: [] for name in self._schema.names if name not in lines.column_names
        }
        self._types = {name: self._schema.field(name).type for name in self._values}
        self._rows: list[int] = []  # the line that each row is of

    def read(self, record: Record) -> dict[str, Any]:
        """A line's values, converted to the fields' types; raises Rejected if one cannot be."""
        if not self._values:
            return {}
        given = {**record.fields, **record.annotations}
        try:
            return {name: converted(given.get(name), kind) for name, kind in self._types.items()}
        except (ValueError, RecursionError):
            raise Rejected("bad_field") from None

    def add(
        self, line: int, record: Record, values: dict[str, Any], sentences: list[Sentence]
    ) -> None:
        """A row for each sentence of a line; of a list with a value a token, the sentence's own."""
        self._rows.extend([line] * len(sentences))
        for name, value in values.items():
            of_tokens = name in record.annotations and isinstance(value, list)
            self._values[name].extend(
                value[s.start : s.start + len(s.tokens)] if of_tokens else value for s in sentences
            )

    def table(self) -> pa.Table:
        """All of them, a value a row."""
        lines = pa.array(self._rows, pa.int64())
        columns = [
            pa.array(self._values[field.name], field.type)
            if field.name in self._values
            else self._lines[field.name].take(lines)
            for field in self._schema
        ]
        return pa.table(columns, schema=self._schema)

    def of_reject(self, line: int, record: Record | Rejected) -> dict[str, Any]:
        """A rejected line's values, as JSON has them."""
        given = dict(record.fields)
        if isinstance(record, Record):
            given |= record.annotations
        return {
            name: json_value(given.get(name))
            if name in self._values
            else json_values(self._lines[name], line)
            for name in self._schema.names
        }


def with_field_types(
    settings: Settings, paths: Sequence[str], recorded: Settings | None
) -> Settings:
    """The settings with a type for each kept field, so that none depends on what a file holds.

    One without is of the type that the run on record has, else that the first of the inputs gives
    which knows one, else a string. Raises UserError if none knows, but one cannot be read.
    """
    before = dict(map(parsed_field, recorded.keep_fields)) if recorded else {}
    entries = []
    for name, declared in map(parsed_field, checked_fields(settings.keep_fields)):
        kind = declared or before.get(name) or _type_in(paths, name)
        entries.append(f"{name}:{type_text(kind)}")
    return replace(settings, keep_fields=tuple(entries))


def _type_in(paths: Sequence[str], name: str) -> pa.DataType:
    problem = None
    for path in paths:
        try:
            kind = field_type(path, name)
        except (Damaged, Unread) as cause:
            problem = problem or f"{path} ({cause})"
        else:
            if kind is not None:
                return kind
    if problem is not None:
        raise UserError(
            f"cannot tell the type of `keep_fields` {name} from {problem}: declare it, as in "
            f"{name}:string"
        )
    return pa.string()
