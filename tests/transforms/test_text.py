"""A line of text to the tokens of its sentences."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sacremoses import MosesTokenizer

from elmo_beam.transforms.inputs.lines import Rejected
from elmo_beam.transforms.text.reader import Sentence, TextReader, normalize_nfc
from elmo_beam.transforms.text.tokenizers import check_language
from tests.helpers.blocks import LIMIT, make_settings
from tests.helpers.refusal import refused

SPACES = [chr(c) for c in range(sys.maxunicode + 1) if chr(c).isspace()]
CONTROLS = [chr(c) for c in range(0x100) if unicodedata.category(chr(c)) == "Cc"]
MARKS = ["\u0301", "\u0323", "\u0327", "\u1100", "\u1161", "\u11a8", "\u212b", "\u0958", "\ufeff"]
CHARACTERS = st.one_of(
    st.sampled_from([*SPACES, *CONTROLS]),
    st.sampled_from([*MARKS, *"aeoqAb ."]),
    st.characters(exclude_categories=["Cs"]),
)
WORDS = """a. Mr. No. 1 2. don't ' "x" ... $5 1,0 x,y U.S. .' é “q” (z) a-b -- & <b> cats' A. !
\u200b http://a.b/c"""


def reader(**changes: Any) -> TextReader:
    return TextReader(make_settings(**changes))


def tokens(text: str, **changes: Any) -> list[list[str]]:
    return [sentence.tokens for sentence in reader(**changes).sentences(text)]


def slow_nfc(text: str) -> str:
    """Remove controls other than white space; then NFC; then one space for each run of spaces."""
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    words, word = [], ""
    for c in unicodedata.normalize("NFC", kept) + " ":
        if not c.isspace():
            word += c
        elif word:
            words.append(word)
            word = ""
    return " ".join(words)


@given(st.text(CHARACTERS))
@example("a\0\u0301")  # what a control character separated is composed
@example(" a \x01 b\x85\u2028\t")
@example("\x7f")
def test_nfc_is_the_definition_and_a_fixed_point(text: str) -> None:
    normal = normalize_nfc(text)
    assert normal == slow_nfc(text)
    assert normalize_nfc(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)


def test_nfc_takes_every_white_space_as_a_space_and_drops_every_other_control() -> None:
    for space in SPACES:
        assert normalize_nfc(f"{space}a{space}{space}b{space}") == "a b", hex(ord(space))
    dropped = [c for c in CONTROLS if not c.isspace()]
    assert len(dropped) == 65 - 10
    for control in dropped:
        assert normalize_nfc(f"a{control}b {control} c{control}") == "ab c", hex(ord(control))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know.", ["I", "don", "'t", "know", "."]),
        ("a & b < c > d", ["a", "&", "b", "<", "c", ">", "d"]),
        ('"Hi," he said [x] | y', ['"', "Hi", ",", '"', "he", "said", "[", "x", "]", "|", "y"]),
        ("&amp; &#39;", ["&", "amp", ";", "&", "#", "39", ";"]),
        ("Mr. Smith paid $1,000.50...", ["Mr.", "Smith", "paid", "$", "1,000.50", "..."]),
        ("well-known U.S. cats' é—x", ["well-known", "U.S.", "cats", "'", "é", "—", "x"]),
        ("", []),
        ("   ", []),
    ],
)
def test_moses_tokens_are_not_escaped(text: str, expected: list[str]) -> None:
    assert tokens(text) == ([expected] if expected else [])


# What Moses means by a word of its own, or has removed; and what is near.
PLACEHOLDERS = """DOTMULTI DOTDOTMULTI DOT MULTI xDOTMULTIx DOTMULTI. THISISPROTECTED000 _ELLIPSIS_
DOT\0MULTI \x01 @-@ -LRB- #NUMERIC_ONLY# .. ... a..b ...."""


@given(
    st.lists(
        st.one_of(st.sampled_from([*PLACEHOLDERS.split(), *WORDS.split()]), st.text(CHARACTERS))
    ),
    st.sampled_from(["", " "]),
    st.sampled_from(["en", "fr", "de"]),
    st.sampled_from(["nfc", "none"]),
)
@example(["DOTMULTI", "DOTDOTMULTI..."], " ", "en", "none")
@example(["DOT\0MULTI"], "", "en", "none")
def test_moses_keeps_every_character_of_ordinary_text(
    words: list[str], separator: str, language: str, normalize: str
) -> None:
    text = separator.join(words)
    found = tokens(text, language=language, normalize=normalize)
    kept = text if normalize == "none" else normalize_nfc(text)
    want = "".join(c for c in kept if not c.isspace() and c >= " ")  # Moses drops these in any case
    assert "".join("".join(sentence) for sentence in found) == want


@given(st.lists(st.sampled_from([*WORDS.split(), "..", "a...", "...,", "'...'"])))
@settings(max_examples=30)
def test_runs_of_dots_are_tokenized_as_moses_does(words: list[str]) -> None:
    text = " ".join(words)
    want = MosesTokenizer(lang="en").tokenize(text, escape=False)
    assert tokens(text) == ([want] if want else [])


# Words that keep their full stop, or keep it before some words; commas and apostrophes by numbers.
STOPS = (
    "Mr. No. No 5 5,300 1,a a,1 , ,, x, z. U.S. i.e. .NET Nos. p. v. Art. 1. '. .' ' '' a'b 'tis "
    "dogs' 90's d' l'eau qu'il etc. Dr. ü. Ünal A.B. é ... \0. \u2028. \u00a0x. St. 1' '2 5, '5 ,5 "
    'angry," Hi, "x." it? Mr., Mr.; _a_. a--b “so” ² ½, 数'
)


@given(
    st.lists(st.one_of(st.sampled_from(STOPS.split(" ")), st.text("aB1.,'\";é\x01 ", max_size=6))),
    st.sampled_from([" ", ""]),
    st.sampled_from(["en", "fr", "it", "de", "fi"]),
)
@settings(max_examples=300)
def test_tokens_are_those_of_moses_itself(words: list[str], separator: str, language: str) -> None:
    text = separator.join(words)
    want = MosesTokenizer(lang=language).tokenize(text, escape=False)
    found = tokens(text, language=language, normalize="none")
    assert found == ([want] if want else [])


def test_the_language_changes_what_moses_splits() -> None:
    assert tokens("l'amour", language="fr") == [["l'", "amour"]]
    assert tokens("l'amour", language="en") == [["l", "'amour"]]


def test_a_language_that_moses_does_not_know_is_refused() -> None:
    check_language("en")
    check_language("fi")
    with refused("`language` xx", "de, "):
        check_language("xx")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't  know.", ["I", "don't", "know."]),
        (" a\tb\u00a0c \u2028d ", ["a\tb\u00a0c", "\u2028d"]),
        ("a\0b\r", ["a\0b\r"]),
        ("\t", ["\t"]),
        ("  ", []),
    ],
)
def test_whitespace_splits_at_the_space_only_and_none_changes_nothing(
    text: str, expected: list[str]
) -> None:
    found = reader(normalize="none", tokenizer="whitespace").sentences(text)
    assert found == ([Sentence(text, expected)] if expected else [])


def test_text_is_kept_as_it_is_or_normalized_but_never_tokenized() -> None:
    text = "\tHe  said:\u2003“cafe\u0301's”\x07 "
    nfc, none = reader(), reader(normalize="none")
    assert [s.text for s in nfc.sentences(text)] == ["He said: “café's”"]
    assert [s.text for s in none.sentences(text)] == [text]


@pytest.mark.parametrize("normalize", ["nfc", "none"])
@pytest.mark.parametrize("tokenizer", ["moses", "whitespace"])
def test_as_many_tokens_as_allowed_pass_and_one_more_does_not(
    normalize: str, tokenizer: str
) -> None:
    words = ["a", "b", "c", "d", "e", "f", "g"]

    def run(policy: str, count: int) -> list[Sentence]:
        settings = {"normalize": normalize, "tokenizer": tokenizer, "max_tokens": 3}
        return reader(**settings, long_sentences=policy).sentences(" ".join(words[:count]))

    for policy in ("reject", "truncate", "split"):
        assert run(policy, 3) == [Sentence("a b c", words[:3])]
        assert run(policy, 0) == []
    for count in (4, 7):
        with pytest.raises(Rejected, match=r"^too_many_tokens$"):
            run("reject", count)
        assert run("truncate", count) == [Sentence(" ".join(words[:count]), words[:3], True)]
    assert run("split", 4) == [Sentence("a b c", words[:3]), Sentence("d", ["d"], start=3)]
    assert [s.tokens for s in run("split", 7)] == [words[:3], words[3:6], words[6:]]
    assert not any(s.truncated for s in run("split", 7))


def test_tokens_within_words_count_too() -> None:
    with pytest.raises(Rejected):
        reader(max_tokens=3).sentences("a,b,c")
    cut = reader(max_tokens=3, long_sentences="truncate").sentences("(a) b")
    assert cut == [Sentence("(a) b", ["(", "a", ")"], True)]


@given(
    st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=12),
    st.integers(1, 14),
    st.sampled_from(["reject", "truncate", "split"]),
    st.sampled_from(["moses", "whitespace"]),
    st.sampled_from(["en", "fr", "de"]),
)
def test_a_long_sentence_is_cut_as_its_policy_says(
    words: list[str], limit: int, policy: str, tokenizer: str, language: str
) -> None:
    text = normalize_nfc(" ".join(words))
    assume(text)
    base = {"tokenizer": tokenizer, "language": language}
    [whole] = tokens(text, **base)
    cut = reader(max_tokens=limit, long_sentences=policy, **base)
    if len(whole) <= limit:
        assert cut.sentences(text) == [Sentence(text, whole)]
    elif policy == "reject":
        with pytest.raises(Rejected, match=r"^too_many_tokens$"):
            cut.sentences(text)
    elif policy == "truncate":
        assert cut.sentences(text) == [Sentence(text, whole[:limit], True)]
    else:
        pieces = [whole[i : i + limit] for i in range(0, len(whole), limit)]
        assert [s.tokens for s in cut.sentences(text)] == pieces


def test_every_character_that_normalizing_leaves_gives_a_token() -> None:
    moses = reader()
    step = 97  # every block of Unicode, not every character
    for code in [*range(0x3000), *range(0x3000, sys.maxunicode, step)]:
        if not 0xD800 <= code < 0xE000 and (text := normalize_nfc(chr(code))):
            assert moses.sentences(text), hex(code)


def test_sentences_are_split_in_order_and_lose_nothing() -> None:
    text = "Mr. Fox came in.  He sat down! “Did he?” Yes, at 3.5 p.m. on Monday. The end"
    found = reader(split_sentences=True, tokenizer="whitespace").sentences(text)
    assert len(found) >= 4
    assert found[0] == Sentence("Mr. Fox came in.", ["Mr.", "Fox", "came", "in."])
    assert found[-1].text == "The end"
    assert " ".join(s.text for s in found) == normalize_nfc(text)
    assert [s.text for s in reader().sentences(text)] == [normalize_nfc(text)]


@given(st.text(CHARACTERS))
@example("A b. C d.\x85E f! “g” (h). i")
def test_splitting_sentences_keeps_every_character(text: str) -> None:
    found = reader(split_sentences=True, tokenizer="whitespace").sentences(text)
    joined = "".join("".join(s.tokens) for s in found)
    assert joined == normalize_nfc(text).replace(" ", "")


def test_a_line_with_one_sentence_too_many_is_rejected_whole() -> None:
    split = reader(split_sentences=True, max_tokens=4)
    assert len(split.sentences("He sat. She ran.")) == 2
    with pytest.raises(Rejected):
        split.sentences("He sat. She ran and ran and ran.")


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        *[(unit, LIMIT) for unit in ("a. ", "word ", ".", "a.", "Mr. ", "! ", "1, ")],
        *[(unit, LIMIT // 4) for unit in ("a' ", "' ", ", ", "1,", "é")],
        *[(unit, LIMIT // 8) for unit in ("'", "“", "<", "\u0301\u0316")],
    ],
)
@pytest.mark.parametrize("split_sentences", [False, True])
def test_a_pathological_line_comes_to_an_end(unit: str, size: int, split_sentences: bool) -> None:
    line = unit * (size // len(unit.encode()))
    found = reader(long_sentences="truncate", split_sentences=split_sentences).sentences(line)
    assert found
    assert all(len(s.tokens) <= 5000 for s in found)


def test_a_long_run_of_marks_is_normalized_as_a_short_one_is() -> None:
    for run in ("\u0301\u0316" * 200, "\u0316" * 70 + "\u0301", "\u0301" * 64, "\u05b0\u0301" * 90):
        assert normalize_nfc(f"e{run} é{run}x") == unicodedata.normalize("NFC", f"e{run} é{run}x")
