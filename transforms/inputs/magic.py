"""What is not text, told by its first bytes."""

from __future__ import annotations

import codecs
import re

from elmo_beam.transforms.inputs.shards import Damaged

SAMPLE = 64 << 10  # bytes looked at
PACK = "to be decompressed, or compressed as .gz, .bz2 or .zst"
UNPACK = "whose files must be extracted"
EXTRACT = "whose text must be extracted"
WRITE = "whose text must be written as text, JSON Lines or Parquet"

# Each has a byte that no text has, or more than a word: "PK", "BZh" and "ORC" may begin a text.
MAGIC = {
    rb"\xff\xfe\0\0|\0\0\xfe\xff": "UTF-32, to be converted to UTF-8",
    rb"(\xff\xfe|\xfe\xff)(?s:.*?)\0": "UTF-16, to be converted to UTF-8",
    rb"\x1f\x8b": "gzip data, whose name must end in .gz",
    rb"BZh[1-9]1AY&SY": "bzip2 data, whose name must end in .bz2",
    rb"(\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)": "zstd data, whose name must end in .zst",
    rb"PAR1\x15": "Parquet, whose name must end in .parquet",
    rb"\xfd7zXZ\0": f"xz data, {PACK}",
    rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18": f"lz4 data, {PACK}",
    rb"\xff\x06\0\0sNaPpY": f"snappy data, {PACK}",
    rb"LZIP\x01": f"lzip data, {PACK}",
    rb"\x89LZO\0\r\n\x1a\n": f"lzo data, {PACK}",
    rb"\x1f[\x9d\xa0]": f"data of compress (.Z), {PACK}",
    rb"(?s:.{257})ustar(\0|  \0)": f"a tar archive, {UNPACK}",
    rb"!<(arch|thin)>\n(?s:.{58})`\n": f"an ar archive, {UNPACK}",
    rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}": f"a cpio archive, {UNPACK}",
    rb"\xc7\x71(?s:.{19})\0|\x71\xc7(?s:.{18})\0": f"a cpio archive, {UNPACK}",
    rb"PK(\x03\x04|\x05\x06|\x07\x08)": f"a zip archive (as are .docx, .xlsx and .npz), {UNPACK}",
    rb"7z\xbc\xaf\x27\x1c": f"a 7z archive, {UNPACK}",
    rb"Rar!\x1a\x07": f"a rar archive, {UNPACK}",
    rb"%PDF-\d\.\d\s+(%.*[\x80-\xff]|\d+ \d+ obj)": f"a PDF document, {EXTRACT}",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"a document of an old Office (.doc, .xls), {EXTRACT}",
    rb"\x7fELF": "a program",
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff": "a picture",
    rb"SQLite format 3\0": f"an SQLite database, {WRITE}",
    rb"Obj\x01": f"Avro, {WRITE}",
    rb"ARROW1\0|FEA1\0|\xff\xff\xff\xff": f"Arrow or Feather data, {WRITE}",
    rb"ORC((?s:...))?\n[\x01-\x7f]\x12": f"ORC, {WRITE}",
    rb"\x89HDF\r\n\x1a\n": f"HDF5, {WRITE}",
    rb"\x93NUMPY": f"a NumPy array, {WRITE}",
    rb"\x80[\x02-\x05]": f"a Python pickle, {WRITE}",
}
TAR_BLOCK = 512  # bytes
TAR_CHECKSUM = slice(148, 156)
ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")


def check_text(head: bytes) -> None:
    """Raises Damaged if a file, decompressed, begins as one that is not UTF-8 text."""
    head = head[:SAMPLE]
    for magic, name in MAGIC.items():
        if re.match(magic, head):
            raise Damaged(f"is not UTF-8 text: it is {name}")
    if _is_tar(head):
        raise Damaged(f"is not UTF-8 text: it is a tar archive, {UNPACK}")
    if _full_of_nuls(head):
        raise Damaged(f"is not UTF-8 text: it is {_encoding(head) or 'binary data'}")


def _is_tar(head: bytes) -> bool:
    """Whether a tar header's checksum is right: the first archives have nothing else to tell them.

    It is the sum of the header's bytes, its own taken as spaces, in octal digits.
    """
    header = head[:TAR_BLOCK]
    digits = header[TAR_CHECKSUM].strip(b" \0")
    if len(header) < TAR_BLOCK or 0 not in header or not re.fullmatch(rb"[0-7]+", digits):
        return False
    return int(digits, 8) == sum(header) - sum(header[TAR_CHECKSUM]) + 8 * ord(" ")


def _full_of_nuls(head: bytes) -> bool:
    """Whether every thousandth byte is NUL and every fourth line has one.

    UTF-16 and binary data are so. Text may have some NULs: they cost no other line.
    """
    lines = head.split(b"\n")
    return head.count(0) * 1000 > len(head) and sum(0 in line for line in lines) * 4 > len(lines)


def _encoding(head: bytes) -> str | None:
    """What bytes are that are text in another encoding, without a BOM."""
    for name in ENCODINGS:
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return f"{name[:6].upper()}, to be converted to UTF-8"
    return None
