"""Moses tokens. Those of a word with punctuation are kept, since words come again."""

from __future__ import annotations

import re
from functools import lru_cache

from sacremoses import MosesTokenizer

CONTROLS = re.compile(r"[\0-\x08\x0e-\x1b]")
DOTS = re.compile(r"\.{2,}")
DOT = "\0"  # Moses has removed such characters before it looks for dots
CONTEXTUAL = re.compile(r"[,']|\.\.")
KEPT_WORDS, KEPT_LENGTH = 1 << 14, 24  # 5 MB, or 30 of words that are cut into characters
SMALL, LARGE, DIGIT, NOTHING = "x", "X", "1", ""  # what stands for a word's neighbour


class Moses:
    """The Moses tokenizer: the tokens of sacremoses, unescaped, in a fraction of the time.

    What Moses makes of a word depends on only three other things: whether it is the first or the
    last; the first character of the next word, if it ends with a full stop; and the next word, if
    a comma or an apostrophe stands on both sides of the space between them, since a match of one
    of Moses's patterns then takes that space from the next match. Such neighbours stay together.
    """

    def __init__(self, language: str) -> None:
        self._moses = MosesTokenizer(lang=language)
        # Its own build a set of all letters there are each time they are called.
        letters, small = frozenset(self._moses.IsAlpha), frozenset(self._moses.IsLower)
        self._moses.isanyalpha = lambda text: not letters.isdisjoint(text)
        self._moses.islower = small.issuperset
        # Its own marks for runs of dots are words such as DOTMULTI, which the text may hold too.
        self._moses.replace_multidots = lambda text: DOTS.sub(
            lambda run: f" {DOT * len(run[0])} ", text
        )
        self._moses.restore_multidots = lambda text: text.replace(DOT, ".")
        self._abbreviations = {
            *self._moses.NONBREAKING_PREFIXES,
            *self._moses.NUMERIC_ONLY_PREFIXES,
        }
        self._kept = lru_cache(KEPT_WORDS)(self._tokens)

    def __call__(self, text: str) -> list[str]:
        if CONTROLS.search(text):
            return self._tokenized(text)
        words = text.split()
        tokens: list[str] = []
        begin, last = 0, len(words) - 1
        while begin <= last:
            word, end = words[begin], begin
            if word.isascii() and word.isalnum():
                tokens.append(word)
                begin += 1
                continue
            while end < last and words[end][-1] in ",'" and words[end + 1][0] in ",'":
                end += 1
            if end > begin:
                word = " ".join(words[begin : end + 1])
            following = self._stand_in(word, words[end + 1]) if end < last else NOTHING
            if word[-1] in ",;:!?." and self._is_plain(word[:-1], word[-1], following):
                tokens += word[:-1], word[-1]
            else:
                make = self._kept if len(word) <= KEPT_LENGTH else self._tokens
                tokens += make(word, begin == 0, following)
            begin = end + 1
        return tokens

    def _is_plain(self, body: str, mark: str, following: str) -> bool:
        """Whether a mark is cut off a word and nothing else is done to it."""
        if not (body.isascii() and body.isalnum()):
            return False
        return mark != "." or (following != SMALL and body not in self._abbreviations)

    def _stand_in(self, word: str, following: str) -> str:
        """A word that has the same effect as the one that follows."""
        if word[-1] != "." or self._moses.islower(following[0]):
            return SMALL
        return DIGIT if following[0] in "0123456789" else LARGE

    def _tokens(self, word: str, first: bool, following: str) -> list[str]:
        """A word's tokens; it may be several words that stay together."""
        if not CONTEXTUAL.search(word):
            pattern, replacement = self._moses.PAD_NOT_ISALNUM
            padded = f"{pattern.sub(replacement, word)} {following}"
            tokens = self._moses.handles_nonbreaking_prefixes(padded).split()
        else:
            before = NOTHING if first else SMALL
            tokens = self._tokenized(f"{before} {word} {following}")[0 if first else 1 :]
        return tokens[:-1] if following else tokens

    def _tokenized(self, text: str) -> list[str]:
        # Escaping would turn don't into don &apos;t, which no model has seen.
        return self._moses.tokenize(text, escape=False) if text else []
