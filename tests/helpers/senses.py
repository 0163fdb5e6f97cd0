"""The senses of the ambiguous words of scripts/sample, as its author meant them."""

from __future__ import annotations

import gzip
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "scripts" / "sample"

# Of each word's 28 lines the 14 that have the sense named, counted from 1 through both files.
SENSES = {
    ("bank", "money"): "8 56 69 70 106 109 122 150 179 182 209 248 265 269",
    ("bark", "tree"): "16 37 52 85 100 113 115 148 174 206 207 238 243 279",
    ("bat", "game"): "23 45 46 105 117 124 139 143 177 178 187 221 242 251",
    ("crane", "machine"): "12 22 27 84 107 126 132 152 155 190 219 227 250 266",
    ("letter", "alphabet"): "24 63 83 86 94 127 131 162 164 175 203 212 218 276",
    ("match", "game"): "13 51 87 89 96 129 138 149 154 160 198 228 240 268",
    ("palm", "hand"): "6 9 39 61 95 135 136 157 163 215 229 230 258 280",
    ("ring", "bell"): "40 50 55 80 81 103 119 151 156 231 234 236 255 277",
    ("seal", "animal"): "28 43 44 60 68 78 91 146 168 195 222 256 267 278",
    ("spring", "water"): "2 5 15 42 90 102 114 173 184 200 208 214 239 252",
}


def sample_lines() -> list[str]:
    """The sample's lines, those of the plain file first."""
    plain = (SAMPLE / "senses-1.txt").read_bytes()
    packed = gzip.decompress((SAMPLE / "senses-2.txt.gz").read_bytes())
    return (plain + packed).decode().splitlines()


def lines_of_sense() -> dict[str, set[int]]:
    """Of each word the lines, from 0, in which it has the sense that SENSES names."""
    return {w: {int(n) - 1 for n in numbers.split()} for (w, _), numbers in SENSES.items()}
