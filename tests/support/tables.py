"""The bundled data: kernel trees, device lists and libkmod's recorded answers.

Keys are bytes everywhere: a modalias may hold any byte but NUL.
An answer is a tuple of module names in libkmod's order, or the errno of its refusal (``errno.EINVAL``).
"""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parent.parent / "data"
THIRD_PARTY = DATA.parent.parent.parent / "shared" / "data" / "third-party"
RELEASES = ("6.12.117-amd64", "6.12.117-cloud-amd64", "7.2.13-amd64")

Answer = tuple[str, ...] | int


class Table(NamedTuple):
    """One file of recorded answers and the kernel that gave them."""

    path: Path
    release: str

    @property
    def name(self) -> str:
        """The file name, for test ids and messages."""
        return self.path.name


def _tables(folder: Path, stem: str) -> list[Table]:
    paths = [(release, folder / f"{stem}-{release}.tsv.xz") for release in RELEASES]
    return [Table(path, release) for release, path in paths if path.exists()]


GOLDEN = _tables(DATA / "kmod", "golden")
EXPECTED = [
    table
    for stem in ("expected", "expected-pciids", "expected-usbids")
    for table in _tables(DATA / "devices", stem)
]
THIRD_PARTY_EXPECTED = _tables(THIRD_PARTY, "expected")


def read_lines(path: Path) -> list[bytes]:
    """Lines of an xz-compressed file; only a newline ends one, so that a device may hold any other byte."""
    return lzma.decompress(path.read_bytes()).removesuffix(b"\n").split(b"\n")


def read_answers(path: Path) -> list[tuple[bytes, Answer]]:
    """Rows of a table: device, TAB, libkmod's answer."""
    rows = []
    for line in read_lines(path):
        key, answer = line.rsplit(b"\t", 1)
        rows.append((key, parse_answer(answer.decode("ascii"))))
    return rows


def parse_answer(text: str) -> Answer:
    """``""``, ``"one,two"`` or ``"E22"`` (the errno of a refusal) as the tables write them."""
    if text.startswith("E") and text[1:].isdigit():
        return int(text[1:])
    return tuple(text.split(",")) if text else ()
