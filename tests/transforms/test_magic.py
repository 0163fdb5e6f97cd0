"""What is not text is damaged, and named; what only begins like it is text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import random
import sqlite3
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fastavro
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_beam.transforms.inputs.magic import check_text
from elmo_beam.transforms.plan import make_plan
from tests.helpers.blocks import make_settings, write_shard

TEXT = b"".join(b"line %d of a text that is long enough\n" % i for i in range(2000))
TABLE = pa.table({"text": ["one bank", "two banks"] * 500})
CHINESE = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之"


def tar(form: int) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return sink.getvalue()


def oldest_tar() -> bytes:
    """As UNIX's 7th edition wrote it: nothing after the link's name but the text."""
    archive = bytearray(tar(tarfile.USTAR_FORMAT))
    archive[257:512] = bytes(255)
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    return bytes(archive)


def cpio(header: bytes) -> bytes:
    return header + b"a.txt\0" + TEXT + b"TRAILER!!!\0"


def zipped(method: int) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        archive.writestr("a.txt", TEXT)
    return sink.getvalue()


def written(write: Callable[[Path], object]) -> Callable[[Path], bytes]:
    """What a library writes to a file."""

    def data(folder: Path) -> bytes:
        write(folder / "file")
        return (folder / "file").read_bytes()

    return data


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table texts (text)")
    connection.close()


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["text"] = [b"one bank"]


def avro(path: Path) -> None:
    schema = {"type": "record", "name": "T", "fields": [{"name": "text", "type": "string"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, [{"text": "one bank"}] * 9)


def stream(path: Path) -> None:
    with pa.ipc.new_stream(str(path), TABLE.schema) as sink:
        sink.write_table(TABLE)


def lz4(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "lz4") as sink:
        sink.write(TEXT)


PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">2I", 1, 1) + b"\x08\0\0\0\0"
SKIPPABLE = b"\x5a\x2a\x4d\x18\x01\0\0\0x"
NOT_TEXT: list[tuple[str, bytes | Callable[[Path], bytes]]] = [
    *(("tar archive", tar(form)) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)),
    ("tar archive", tar(tarfile.PAX_FORMAT)),
    ("tar archive", oldest_tar()),
    ("ar archive", b"!<arch>\n%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"a/", 0, 0, 0, 33188, 9) + TEXT),
    ("ar archive", b"!<thin>\n%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"a/", 0, 0, 0, 33188, 9)),
    *(("cpio archive", cpio(magic + b"0000000A" * 13)) for magic in (b"070701", b"070702")),
    ("cpio archive", cpio(b"070707" + b"000012" * 11 + b"0007")),
    (
        "cpio archive",
        cpio(struct.pack("<13H", 0o070707, *range(1, 10), 6, *divmod(len(TEXT), 1 << 16))),
    ),
    (
        "cpio archive",
        cpio(struct.pack(">13H", 0o070707, *range(1, 10), 6, *divmod(len(TEXT), 1 << 16))),
    ),
    *(("zip archive", zipped(method)) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
    ("zip archive", b"PK\x05\x06" + bytes(18)),
    ("gzip data, whose name must end in .gz", gzip.compress(TEXT)),
    ("bzip2 data, whose name must end in .bz2", bz2.compress(TEXT)),
    ("zstd data, whose name must end in .zst", zstandard.ZstdCompressor().compress(TEXT)),
    ("zstd data", SKIPPABLE + zstandard.ZstdCompressor().compress(TEXT)),
    ("xz data", lzma.compress(TEXT)),
    ("binary data", lzma.compress(TEXT, lzma.FORMAT_ALONE)),
    ("binary data", zlib.compress(random.Random(1).randbytes(5000))),
    ("lz4 data", written(lz4)),
    ("snappy data", b"\xff\x06\x00\x00sNaPpY\x01\x09\x00\x00abcd\n"),
    ("lzo data", b"\x89LZO\0\r\n\x1a\n\x10\x40\x20\xa0"),
    ("lzo data", b"\x89LZO\0\r\n\x1a\n"),
    ("7z archive", b"7z\xbc\xaf\x27\x1c\x00\x04"),
    ("rar archive", b"Rar!\x1a\x07\x01\x00"),
    ("PDF", PDF),
    ("a program", Path(sys.executable).read_bytes()[:100_000]),
    ("picture", PNG),
    ("picture", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ("SQLite", written(database)),
    ("HDF5", written(hdf5)),
    ("Avro", written(avro)),
    ("Arrow or Feather", written(lambda path: feather.write_feather(TABLE, path))),
    ("Arrow or Feather", written(stream)),
    *(
        ("ORC", written(partial(orc.write_table, TABLE, compression=packing)))
        for packing in ("uncompressed", "zlib", "snappy")
    ),
    ("Parquet, whose name must end", written(lambda path: pq.write_table(TABLE, path))),
    ("Parquet", written(lambda path: pq.write_table(TABLE[:0], path))),
    ("NumPy array", written(lambda path: np.save(path.open("wb"), np.zeros(3)))),
    ("zip archive", written(lambda path: np.savez(path.open("wb"), a=np.zeros(3)))),
    *(("pickle", pickle.dumps(["a text"] * 9, protocol)) for protocol in (2, 3, 4, 5)),
    ("binary data", np.arange(100_000, dtype=np.int32).tobytes()),
    ("binary data", bytes(100)),
]


@pytest.mark.parametrize(("name", "data"), NOT_TEXT, ids=[str(i) for i in range(len(NOT_TEXT))])
@pytest.mark.parametrize("file", ["a.txt", "a", "a.jsonl.zst", "a.txt.gz", "a.json.bz2"])
def test_a_file_that_is_not_text_is_damaged_and_named(
    tmp_path: Path, name: str, data: bytes | Callable[[Path], bytes], file: str
) -> None:
    content = data if isinstance(data, bytes) else data(tmp_path)
    plan = make_plan(write_shard(tmp_path / file, content), make_settings())
    assert plan.damaged is not None
    assert plan.damaged.startswith("is not UTF-8 text: it is ")
    assert name in plan.damaged
    assert len(plan.damaged.splitlines()) == 1


LANGUAGES = {
    "English": "The bank of the river.\nMoney in the bank.\n" * 50,
    "one word": "bank",
    "Cyrillic": "Привет, мир\nБанк у реки\n" * 50,
    "Chinese": "".join(
        random.Random(i).choice(CHINESE) + "\n" * (i % 90 == 89) for i in range(20_000)
    ),
    "emoji": "one 🏦 bank\n" * 9,
}


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=list(LANGUAGES))
@pytest.mark.parametrize("bom", [True, False], ids=["BOM", ""])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_text_in_another_encoding_is_damaged_and_the_encoding_named(
    tmp_path: Path, encoding: str, bom: bool, text: str
) -> None:
    shard = write_shard(tmp_path / "a.txt.gz", ("\ufeff" * bom + text).encode(encoding))
    damaged = make_plan(shard, make_settings()).damaged
    assert damaged == f"is not UTF-8 text: it is {encoding[:6].upper()}, to be converted to UTF-8"


BEGINNINGS = (
    "PK", "BZh", "BZh9", "Obj", "ORC", "ORC\n", "SQLite format 3", "%PDF-1.4", "%PDF", "7z", "Rar!",
    "PAR1", "PAR1\n", "GIF89a", "ARROW1", "FEA1", "LZIP", "P*M", "(µ", "\x1f\x1f", "", "x" * 257,
    "x" * 257 + "ustar", "x" * 257 + "ustar  ", "\ufeff", "ÿþ", "þÿ", "ELF", "IHDR", "JFIF",
    "!<arch>", "!<arch>\n", "070701", "070707 is a number", "0707070", "q\u01f1",
)  # fmt: skip


@given(st.sampled_from(BEGINNINGS), st.text(st.characters(exclude_categories=["Cc", "Cs"])))
@example("BZh", "9 and so on")
@example("%PDF-1.4", "\nis a version")
def test_text_of_any_beginning_is_text(beginning: str, rest: str) -> None:
    data = (beginning + rest).encode()
    for size in range(len(beginning.encode()) + 1):
        check_text(data[:size])
    check_text(data + b"\n")
    check_text(b"\n" + data)


def test_text_with_a_number_where_tar_has_its_checksum_is_text() -> None:
    """Without a NUL, or with the sum of other bytes."""
    line = bytearray(b"word " * 110)
    line[148:156] = b" " * 8
    line[148:156] = b"%06o  " % sum(line[:512])
    check_text(bytes(line))
    check_text((b"000123 " * 73 + b"\0\n") + b"a line\n" * 100)


def test_some_nuls_make_no_text_binary() -> None:
    """They cost no other line."""
    good = b"a good line of text\n"
    for nul in (b"a\0b \0\n", b"\0\n", b"\0" * 400 + b"\n"):
        check_text((good * 9 + nul) * 100)
        check_text(good * 9 + nul)
    long = b"word " * 40_000
    check_text(long[:30_000] + b"\0" + long[30_000:] + b"\n")
    check_text(good * 4000 + b"\0" * 5000)  # beyond what is looked at
