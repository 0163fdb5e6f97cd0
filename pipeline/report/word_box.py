"""A box to look words up in: their uses in a sample of the run, each with its neighbours.

The sample is in the page as JSON, which page.js reads. Without a script there is a list of some
words in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape

from elmo_beam.elmo.wording import counted
from elmo_beam.pipeline.report.sample import Sample, sample_of, spread
from elmo_beam.transforms.readers.run import Run

LISTED = 12  # words that the page names
SHOWN = 2  # uses of each of them, without a script
OFFERED = 300  # words, as one types
AROUND = 8  # tokens on either side, without a script
LETTERS = 4  # at least, of a word that the page names, if there are such

Near = dict[int, list[tuple[int, int]]]


def word_box(run: Run, topical: Sequence[str]) -> Iterator[str]:
    """HTML; nothing if the run has nothing to look up. topical: words to name first."""
    sample = sample_of(run)
    if sample is None:
        return
    uses, near = sample.nearest()
    named = _named(uses, topical)
    yield '<h2 id="words">Look up a word</h2>'
    yield f'<p class="soft">{_what(sample, len(uses))}</p>'
    yield '<div id="word-box" hidden><label for="word">Word</label> '
    yield '<input id="word" type="search" list="offered" autocomplete="off" autocapitalize="none">'
    yield '<datalist id="offered">'
    often = sorted(uses, key=lambda word: -len(uses[word]))[:OFFERED]
    yield from (f'<option value="{escape(word)}"></option>' for word in often)
    yield '</datalist><p id="named">'
    yield " ".join(f'<button type="button">{escape(word)}</button>' for word in named)
    yield '</p><div id="found" aria-live="polite"></div></div>'
    yield '<div id="word-list">'
    for word in named:
        yield from _listed(word, uses[word], near, sample)
    yield "</div>"
    yield f'<script type="application/json" id="sample">{_data(sample, uses, near)}</script>'


def _what(sample: Sample, words: int) -> str:
    if sample.kind == "word":
        return (
            f"The nearest of {counted(len(sample.at), 'word')} by the cosine of their mean "
            f"{escape(sample.output)} vectors, from the mean of all."
        )
    uses = f"{counted(words, 'word')} in {counted(len(sample.sentences), 'sentence')}"
    return (
        f"A sample of the run's first parts, {uses}: the uses of a word, and below each the "
        f"{sample.kind}s nearest to it in other sentences, by the cosine of their "
        f"{escape(sample.output)} vectors, from the mean of all."
    )


def _named(uses: dict[str, list[int]], topical: Sequence[str]) -> list[str]:
    """Some words to begin with: those of topics, then frequent ones."""
    first = [word.lower() for word in topical if word.lower() in uses]
    telling = [word for word in uses if len(word) >= LETTERS and word.isalpha()]
    often = sorted(telling or uses, key=lambda word: -len(uses[word]))
    return list(dict.fromkeys([*first, *often]))[:LISTED]


def _listed(word: str, uses: Sequence[int], near: Near, sample: Sample) -> Iterator[str]:
    yield f"<details><summary>{escape(word)}</summary><ul>"
    for use in spread(uses)[:SHOWN]:
        yield f"<li>{_shown(use, sample)}<ul>"
        yield from (f"<li>{cosine / 100:.2f} {_shown(j, sample)}</li>" for j, cosine in near[use])
        yield "</ul></li>"
    yield "</ul></details>"


def _shown(use: int, sample: Sample) -> str:
    """A use in its context, HTML."""
    sentence, place = sample.at[use]
    tokens = sample.sentences[sentence]
    if place < 0:
        return escape(" ".join(tokens))
    left = escape(" ".join(tokens[max(0, place - AROUND) : place]))
    right = escape(" ".join(tokens[place + 1 : place + 1 + AROUND]))
    return f"{left} <mark>{escape(tokens[place])}</mark> {right}"


def _data(sample: Sample, uses: dict[str, list[int]], near: Near) -> str:
    """What the script needs, as JSON within HTML.

    words: of each how many uses it has, then some of them. at: of each use its sentence and its
    place there. near: of a use its neighbours, each with the cosine in hundredths.
    """
    document = {
        "kind": sample.kind,
        "sentences": sample.sentences,
        "at": [n for pair in sample.at for n in pair],
        "words": {word: [len(own), *spread(own)] for word, own in uses.items()},
        "near": {use: [n for pair in found for n in pair] for use, found in near.items()},
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
