"""`elmo-beam inspect`: a run, shown to a person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from elmo.errors import UserError
from elmo.outputs import SENTENCE_OUTPUT
from pipeline.console import say
from pipeline.report import Session, problems, summary
from pipeline.state import read_state
from transforms.readers import Run, open_run
from transforms.settings import Settings

MOST_VECTORS = 100_000  # compared with a word: the first parts, if there are more
CONTEXTS = 8  # of the word shown
NEIGHBOURS = 3  # of each context
AROUND = 6  # tokens shown on either side


def inspect(output: str, rows: int, word: str | None) -> int:
    """Print schema, accounts and rows, or the neighbours of a word."""
    run = open_run(output, allow_incomplete=True)
    if word is not None:
        say("\n".join(_neighbours(run, word)))
        return 0
    state = read_state(run.layout, run.settings, run.shards, recorded=True)
    say(summary(run.layout, state, Session()))
    for line in problems(state):
        say(f"  ! {line}")
    say("\n".join(_settings(run.settings)))
    say("\n".join(_schema_and_rows(run, rows)))
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


def _schema_and_rows(run: Run, rows: int) -> Iterator[str]:
    table = next((table for table in run.tables() if table.num_rows), None)
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


def _neighbours(run: Run, word: str) -> Iterator[str]:
    outputs = run.settings.outputs
    # The top layer tells the senses of a word apart best (Peters et al. 2018, section 5.3).
    layers = sorted(name for name in outputs if name.startswith("lstm_outputs"))
    output = [SENTENCE_OUTPUT, *(o for o in outputs if o == "elmo"), *layers][-1]
    if output != SENTENCE_OUTPUT:
        found = _token_vectors(run, output)
    elif output in outputs:
        found = _sentence_vectors(run)
    else:
        raise UserError("the run has only word_emb, which knows no context: add --outputs elmo")
    vectors, words, contexts, sentences = found
    at = [i for i, tokens in enumerate(words) if word.lower() in tokens]
    if not at:
        raise UserError(f"no sentence of {run.layout.root} has the word {word!r}")
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


def _token_vectors(run: Run, output: str) -> Found:
    """Vectors of tokens, the word of each, its context, and the number of its sentence."""
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    contexts: list[str] = []
    sentences: list[int] = []
    number = 0
    for table in run.tables(["tokens", output]):
        vectors.append(run.vectors(table, output).astype(np.float32))
        for found in table["tokens"].to_pylist():
            words.extend({token.lower()} for token in found)
            contexts.extend(_context(found, i) for i in range(len(found)))
            sentences.extend([number] * len(found))
            number += 1
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{run.layout.root} has no rows")
    return np.concatenate(vectors), words, contexts, np.array(sentences)


def _sentence_vectors(run: Run) -> Found:
    """The same a sentence."""
    if run.settings.format != "parquet" and len(run.settings.outputs) == 1:
        raise UserError("TFRecord of sentence vectors keeps no tokens: inspect a Parquet run")
    vectors: list[np.ndarray] = []
    words: list[set[str]] = []
    contexts: list[str] = []
    for table in run.tables(["tokens", SENTENCE_OUTPUT]):
        vectors.append(run.vectors(table, SENTENCE_OUTPUT).astype(np.float32))
        for tokens in table["tokens"].to_pylist():
            words.append({token.lower() for token in tokens})
            contexts.append(_context(tokens, None))
        if len(words) > MOST_VECTORS:
            break
    if not words:
        raise UserError(f"{run.layout.root} has no rows")
    return np.concatenate(vectors), words, contexts, np.arange(len(words))


def _context(tokens: list[str], i: int | None) -> str:
    """A token between brackets among those around it; a sentence's beginning without one."""
    if i is None:
        return " ".join(tokens[: 4 * AROUND]) + (" …" if len(tokens) > 4 * AROUND else "")
    before, after = tokens[max(0, i - AROUND) : i], tokens[i + 1 : i + 1 + AROUND]
    return " ".join([*before, f"[{tokens[i]}]", *after])
