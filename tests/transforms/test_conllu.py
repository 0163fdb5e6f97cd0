"""CoNLL-U files: words and tags as they are, and a one-line error for what is not CoNLL-U."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from elmo_beam.transforms.inputs.conllu import read_conllu
from tests.helpers.refusal import refused

TEXT = """# text = Don't go.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tthere\tthere\tADV\tRB\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_

1\tNew York\tNew York\tPROPN\tNNP\t_\t0\troot\t_\t_
"""
WANT = [(["Do", "n't", "go", "."], ["AUX", "PART", "VERB", "PUNCT"]), (["New York"], ["PROPN"])]


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n\n", TEXT.replace("\n", "\r\n")])
def test_words_and_tags(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_bytes(text.encode())
    assert read_conllu(str(path)) == WANT


def test_a_bom_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_bytes(f"\ufeff{TEXT}\n\ufeff{TEXT}".encode())
    assert read_conllu(str(path)) == WANT * 2


def test_compressed_and_only_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert read_conllu(str(path), 1) == WANT[:1]
    assert read_conllu(str(path), 5) == WANT


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"just text\n", ("is not CoNLL-U", "line 1", "1 column,")),
        (TEXT.encode() + b"2\tx\n", ("line 10", "2 columns")),
        (b"", ("has no sentences",)),
        (b"# only a comment\n\n", ("has no sentences",)),
        (b"1\t\xff", ("is not UTF-8", "byte 2")),
        (TEXT.encode("utf-16"), ("is not UTF-8 text", "UTF-16")),
    ],
)
def test_what_is_not_conllu(tmp_path: Path, data: bytes, parts: tuple[str, ...]) -> None:
    path = tmp_path / "a.conllu"
    path.write_bytes(data)
    with refused(path, *parts):
        read_conllu(str(path))


def test_no_file_and_a_truncated_one(tmp_path: Path) -> None:
    with refused(tmp_path / "none.conllu", "No such file"):
        read_conllu(str(tmp_path / "none.conllu"))
    path = tmp_path / "cut.conllu.gz"
    path.write_bytes(gzip.compress(TEXT.encode() * 99)[:50])
    with refused(path, "cannot be read to its end"):
        read_conllu(str(path))
