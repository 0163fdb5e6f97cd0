"""`elmo-beam inspect`: a run, shown to a person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from elmo.errors import UserError
from elmo.outputs import SENTENCE_OUTPUT
from pipeline.console import say
from pipeline.report import Session, problems, summary
from pipeline.state import read_state
from transforms.formats import FORMATS
from transforms.layout import Layout, layout_of
from transforms.plan import recorded_shards
from transforms.settings import Settings, read_settings
from transforms.storage import join, list_names, local_copy

MOST_VECTORS = 100_000  # compared with a word: the first parts, if there are more
CONTEXTS = 8  # of the word shown
NEIGHBOURS = 3  # of each context
AROUND = 6  # tokens shown on either side


def inspect(output: str, rows: int, word: str | None) -> int:
    """Print schema, accounts and rows, or the neighbours of a word."""
    layout = layout_of(output)
    settings = read_settings(layout)
    if word is not None:
        say("\n".join(_neighbours(layout, settings, word)))
        return 0
    state = read_state(layout, settings, recorded_shards(layout), recorded=True)
    say(summary(layout, state, Session()))
    for line in problems(state):
        say(f"  ! {line}")
    say("\n".join(_settings(settings)))
    say("\n".join(_schema_and_rows(layout, settings, rows)))
    return 0


def _settings(settings: Settings) -> Iterator[str]:
    yield "settings"
    document = settings.to_json()
    names = [name for name in document if name not in ("options", "digest")]
    width = max(map(len, names))
    for name in names:
        value = document[name]
        yield f"  {name:<{width}}  {','.join(value) if isinstance(value, list) else value}"
    yield f"  {'digest':<{width}}  {settings.digest} (of the model)"


def _schema_and_rows(layout: Layout, settings: Settings, rows: int) -> Iterator[str]:
    table = next(_parts(layout, settings), None)
    if table is None:
        return
    yield "columns"
    width = max(map(len, table.schema.names))
    for name in table.schema.names:
        yield f"  {name:<{width}}  {table.schema.field(name).type}"
    yield "rows"
    for i in range(min(rows, table.num_rows)):
        yield "  " + ", ".join(f"{n} {_shown(table[n][i].as_py())}" for n in table.schema.names)


def _shown(value: object) -> str:
    """A value in a few characters: a vector by its shape and first numbers."""
    if isinstance(value, list | np.ndarray) and len(value) and not isinstance(value[0], str):
        array = np.asarray(value, np.float32)
        head = " ".join(f"{x:.3f}" for x in array.reshape(-1)[:3])
        return f"{list(array.shape)} [{head} …]"
    if isinstance(value, list):
        return f"[{' '.join(value[:12])}{' …' if len(value) > 12 else ''}]"
    text = str(value)
    return repr(text if len(text) <= 60 else text[:59] + "…") if isinstance(value, str) else text


def _parts(layout: Layout, settings: Settings) -> Iterator[pa.Table]:
    """The parts in order, those that have rows."""
    chosen = FORMATS[settings.format]
    for name in list_names(layout.parts):
        with local_copy(join(layout.parts, name)) as path:
            table = chosen.read(path, settings)
        if table.num_rows:
            yield table


def _neighbours(layout: Layout, settings: Settings, word: str) -> Iterator[str]:
    token_outputs = [name for name in settings.outputs if name not in (SENTENCE_OUTPUT, "word_emb")]
    if token_outputs:
        output = "elmo" if "elmo" in token_outputs else token_outputs[-1]
        found = _token_vectors(layout, settings, output)
    elif SENTENCE_OUTPUT in settings.outputs:
        output = SENTENCE_OUTPUT
        found = _sentence_vectors(layout, settings)
    else:
        raise UserError("the run has only word_emb, which knows no context: add --outputs elmo")
    vectors, words, contexts, sentences = found
    at = [i for i, tokens in enumerate(words) if word.lower() in tokens]
    if not at:
        raise UserError(f"no sentence of {layout.root} has the word {word!r}")
    # The mean says what all vectors share; without it the angles tell more of the difference.
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    what = "sentences" if output == SENTENCE_OUTPUT else "tokens"
    yield f"{word}: {_uses(len(at))}; nearest {what} of other sentences, by cosine of {output}"
    for i in at[:: max(1, len(at) // CONTEXTS)][:CONTEXTS]:
        yield ""
        yield f"  {contexts[i]}"
        near = vectors @ vectors[i]
        near[sentences == sentences[i]] = -np.inf
        others = [j for j in np.argsort(-near)[:NEIGHBOURS] if np.isfinite(near[j])]
        yield from (f"    {near[j]:.2f}  {contexts[j]}" for j in others)


Found = tuple[np.ndarray, list[set[str]], list[str], np.ndarray]


def _uses(n: int) -> str:
    return "1 use" if n == 1 else f"{n:,} uses"


def _token_vectors(layout: Layout, settings: Settings, output: str) -> Found:
    """Vectors of tokens, the word of each, its context, and the number of its sentence."""
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    contexts: list[str] = []
    sentences: list[int] = []
    number = 0
    for table in _parts(layout, settings):
        for tokens, row in zip(table["tokens"], table[output], strict=True):
            found = tokens.as_py()
            flat = np.asarray(row.values.flatten(), np.float32)
            vectors.append(flat.reshape(len(found), -1))
            words.extend({token.lower()} for token in found)
            contexts.extend(_context(found, i) for i in range(len(found)))
            sentences.extend([number] * len(found))
            number += 1
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{layout.root} has no rows")
    return np.concatenate(vectors), words, contexts, np.array(sentences)


def _sentence_vectors(layout: Layout, settings: Settings) -> Found:
    """The same a sentence."""
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    contexts: list[str] = []
    for table in _parts(layout, settings):
        if "tokens" not in table.schema.names:
            raise UserError("TFRecord of sentence vectors keeps no tokens: inspect a Parquet run")
        for tokens, row in zip(table["tokens"].to_pylist(), table[SENTENCE_OUTPUT], strict=True):
            vectors.append(np.asarray(row.values, np.float32))
            words.append({token.lower() for token in tokens})
            contexts.append(_context(tokens, None))
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{layout.root} has no rows")
    return np.stack(vectors), words, contexts, np.arange(len(words))


def _context(tokens: list[str], i: int | None) -> str:
    """A token between brackets among those around it; a sentence's beginning without one."""
    if i is None:
        return " ".join(tokens[: 4 * AROUND]) + (" …" if len(tokens) > 4 * AROUND else "")
    before, after = tokens[max(0, i - AROUND) : i], tokens[i + 1 : i + 1 + AROUND]
    return " ".join([*before, f"[{tokens[i]}]", *after])
