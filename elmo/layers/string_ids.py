"""Tensors of strings to the ids of `model/token_ids.py`, inside a graph."""

from __future__ import annotations

from collections.abc import Mapping

from elmo_beam.elmo.backend import tf
from elmo_beam.elmo.model import token_ids as names
from elmo_beam.elmo.model.characters import BEGIN_WORD, END_WORD, PADDING
from elmo_beam.elmo.model.options import MANY_LANGS, ModelOptions
from elmo_beam.elmo.model.token_ids import UNKNOWN_WORD, Lexicon, token_ids


class StringIds(tf.Module):
    """The ids of tokens, string [tokens]: words int32 [tokens], characters [tokens, length].

    boundaries: the same of the two tokens around a sentence, as arrays.
    """

    def __init__(self, options: ModelOptions, lexicon: Lexicon) -> None:
        super().__init__()
        self._options, self._most = options, options.max_characters
        self._many_langs = options.family == MANY_LANGS
        unknown = names.UNKNOWN if self._many_langs else UNKNOWN_WORD
        self._words = _table(lexicon.words, unknown)
        self._characters = _table(lexicon.characters, names.UNKNOWN)
        self._lexicon = lexicon
        self.boundaries = token_ids(options, lexicon).boundaries()

    def __call__(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Those of some tokens; padding, "", gets ids too."""
        cut = tokens
        if self._many_langs:
            cut = tf.strings.substr(tokens, 0, self._most - 2, unit="UTF8_CHAR")
        words = tf.zeros(tf.shape(tokens), tf.int32)
        if self._words is not None:
            words = self._words.lookup(cut)
        if self._characters is not None:
            characters = self._lexicon_characters(self._characters, cut)
        elif self._options.filters:
            characters = string_character_ids(tokens, self._most)
        else:
            characters = tf.zeros([tf.size(tokens), 0], tf.int32)
        return words, characters

    def _lexicon_characters(self, table: tf.lookup.StaticHashTable, cut: tf.Tensor) -> tf.Tensor:
        rows = self._lexicon.characters
        spelled = tf.strings.unicode_split(cut, "UTF-8")
        flat = table.lookup(spelled.flat_values)
        data = spelled.with_flat_values(flat).to_tensor(shape=[None, self._most])
        size = tf.cast(spelled.row_lengths(), tf.int32)
        for name in (names.BEGIN, names.END):  # one character, not these letters
            data = tf.where((cut == name)[:, tf.newaxis], rows[name], data)
            size = tf.where(cut == name, 1, size)
        marks = (rows[name] for name in (names.FIRST, names.LAST, names.PADDING))
        return _framed(data, size[:, tf.newaxis], *marks)


def _table(rows: Mapping[str, int], unknown: str) -> tf.lookup.StaticHashTable | None:
    if not rows:
        return None
    keys, values = tf.constant(list(rows)), tf.constant(list(rows.values()), tf.int32)
    initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
    return tf.lookup.StaticHashTable(initializer, rows[unknown])


def string_character_ids(tokens: tf.Tensor, max_characters: int) -> tf.Tensor:
    """String [tokens] to int32 [tokens, max_characters], numbered as in `model/characters.py`."""
    cut = tf.strings.substr(tokens, 0, max_characters - 2)
    size = tf.strings.length(cut)[:, tf.newaxis]
    data = tf.io.decode_raw(cut, tf.uint8, fixed_length=max_characters)
    return _framed(tf.cast(data, tf.int32) + 1, size, BEGIN_WORD, END_WORD, PADDING)


def _framed(data: tf.Tensor, size: tf.Tensor, begin: int, end: int, padding: int) -> tf.Tensor:
    """Ids between marks, then padding: int32 [tokens, length], as their own ids in `data`.

    size: int32 [tokens, 1], how many ids each token has, at most length - 2.
    """
    position = tf.range(tf.shape(data)[1])[tf.newaxis]
    # The ids move one position on, after the begin mark.
    ids = tf.where(position <= size, tf.roll(data, 1, axis=1), padding)
    ids = tf.where(position == size + 1, end, ids)
    return tf.where(position == 0, begin, ids)
