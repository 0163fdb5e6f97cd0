"""A line of text to the tokens of its sentences: normalizing, splitting, tokenizing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from elmo_beam.transforms.files.settings import MAX_TOKENS, Settings
from elmo_beam.transforms.inputs.lines import Record, Rejected
from elmo_beam.transforms.text.nfc import normalize_nfc
from elmo_beam.transforms.text.tokenizers import TOKENIZERS


@dataclass(frozen=True)
class Sentence:
    """A normalized sentence and its tokens.

    truncated: whether some beyond the maximum are gone. start: which of its line's own tokens is
    its first, where the line has tokens.
    """

    text: str
    tokens: list[str]
    truncated: bool = False
    start: int = 0


class TextReader:
    """Lines to sentences, by a run's settings. It holds the tokenizer, so create it once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokenize = TOKENIZERS[settings.tokenizer](settings)
        self._split = _splitter(settings)

    def read(self, record: Record, limit: int) -> list[Sentence]:
        """The sentences of a line that have tokens; raises Rejected if one has over `limit`."""
        if record.tokens is None:
            return self.sentences(record.text, limit)
        return self._cut(record.text, record.tokens, limit)

    def sentences(self, text: str, limit: int | None = None) -> list[Sentence]:
        """The sentences of a text that have tokens; raises Rejected if one has too many.

        limit: of tokens, in place of the settings'.
        """
        limit = limit or self._settings.max_tokens or MAX_TOKENS
        if self._settings.normalize == "nfc":
            text = normalize_nfc(text)
        found: list[Sentence] = []
        for sentence in self._split(text):
            found.extend(self._cut(sentence, self._tokenize(sentence), limit))
        return found

    def _cut(self, text: str, tokens: list[str], limit: int) -> list[Sentence]:
        policy = self._settings.long_sentences
        if len(tokens) <= limit:
            return [Sentence(text, tokens)] if tokens else []
        if policy == "reject":
            raise Rejected("too_many_tokens")
        if policy == "truncate":
            return [Sentence(text, tokens[:limit], True)]
        pieces = [(i, tokens[i : i + limit]) for i in range(0, len(tokens), limit)]
        # The whole sentence beside each of its pieces would take the square of its length.
        return [Sentence(" ".join(piece), piece, start=i) for i, piece in pieces]


def _splitter(settings: Settings) -> Callable[[str], list[str]]:
    if not settings.split_sentences:
        return lambda text: [text]
    import sentencex

    def split(text: str) -> list[str]:
        pieces = (piece.strip() for piece in sentencex.segment(settings.language, text))
        return [piece for piece in pieces if piece]

    return split
