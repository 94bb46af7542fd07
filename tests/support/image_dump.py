"""An image decoded byte by byte, after ``csrc/format.h``: what docs/format.md shows.

Sections are found by the names in the header file, so one that is added there appears by itself; without an
entry in ``TABLES`` its bytes are shown and not explained.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = Path(__file__).resolve().parents[2] / "csrc" / "format.h"
HEADER = (
    ("magic", 8),
    ("version", 4),
    ("section_count", 4),
    ("size", 8),
    ("checksum", 8),
    ("longest_module", 4),
    ("zero", 4),
)
# Of the sections that are tables: the u32 fields of an entry.
TABLES = {
    "MODULES": ("text", "length"),
    "SOURCES": ("text", "length", "root", "lines_end", "sorted_end", "irregular_end", "order"),
    "LINES": ("module",),
    "LINE_NUMBERS": ("number",),
    "LINE_PLACES": ("place",),
    "SORTED": ("line",),
    "VALUES": ("line",),
    "VALUE_TAILS": ("tail",),
    "VALUE_ANSWERS": ("answer",),
    "VALUE_LINES": ("line",),
    "IRREGULAR": ("value",),
    "ANSWERS": ("modules_end",),
    "ANSWER_MODULES": ("module",),
}
NEVER = 0xFFFFFFFF
TAILS_PADDING = 264
MARKS = 1 << 29
LABELS_PADDING = 8
FLAGS = {28: "VALUE", 29: "STAR_NODE", 30: "STAR_LEAF", 31: "WILD"}
WIDEST = 16
ZEROS = 32  # so many zeros are worth a line that counts them


class Piece(NamedTuple):
    """Some bytes and what they say."""

    offset: int
    data: bytes
    meaning: str


def section_names() -> list[str]:
    """The sections in the order of the table, as format.h names them."""
    (enum,) = re.findall(r"enum section \{(.*?)\}", FORMAT.read_text("ascii"), re.DOTALL)
    return re.findall(r"SECTION_(\w+),", enum)


def dump(image: bytes) -> str:
    """The lines of docs/format.md: offset, bytes, meaning."""
    return "\n".join(_line(part) for piece in pieces(image) for part in _narrow(piece)) + "\n"


def undump(text: str) -> bytes:
    """The bytes that lines of ``dump`` show."""
    image = b""
    for line in text.splitlines():
        shown = line[5 : 5 + 3 * WIDEST].strip()
        zeros = re.fullmatch(r"00 x (\d+)", shown)
        image += bytes(int(zeros[1])) if zeros else bytes.fromhex(shown)
    return image


def pieces(image: bytes) -> Iterator[Piece]:
    """All bytes of an image in order."""
    at = 0
    for name, size in HEADER:
        yield Piece(at, image[at : at + size], _header_meaning(name, image[at : at + size]))
        at += size
    sections = []
    for name in section_names():
        offset, size = unpack_from("<QQ", image, at)
        yield Piece(at, image[at : at + 16], f"{name}: at {offset:04x}, {size} bytes")
        sections.append((name, offset, size))
        at += 16
    nodes = b""
    for name, offset, size in sections:
        if offset > at:
            yield Piece(at, image[at:offset], "gap")
        data = image[offset : offset + size]
        yield from _section(name, offset, data, nodes)
        nodes = data if name == "NODES" else nodes
        at = offset + size
    if at < len(image):
        yield Piece(at, image[at:], "gap, up to a multiple of 128")


def _header_meaning(name: str, data: bytes) -> str:
    if name in ("magic", "checksum"):
        return name
    number = int.from_bytes(data, "little")
    return f"version {number >> 16}.{number & 0xFFFF}" if name == "version" else f"{name} {number}"


def _section(name: str, offset: int, data: bytes, nodes: bytes) -> Iterator[Piece]:
    if name in TABLES:
        parts = _table(TABLES[name], data)
    elif name == "NODES":
        parts = _nodes(data)
    elif name == "LABELS":
        parts = _labels(nodes, data)
    elif name == "TAILS":
        parts = _tails(data)
    elif name == "CLASSES":
        parts = _classes(data)
    else:
        parts = iter([(data, "")] if data else [])
    for number, (part, meaning) in enumerate(parts):
        yield Piece(offset, part, f"{name if number == 0 else '':<14} {meaning}".rstrip())
        offset += len(part)


Part = tuple[bytes, str]


def _table(fields: tuple[str, ...], data: bytes) -> Iterator[Part]:
    size = 4 * len(fields)
    for number, at in enumerate(range(0, len(data), size)):
        values = unpack_from(f"<{len(fields)}I", data, at)
        shown = ", ".join(f"{field} {_number(value)}" for field, value in zip(fields, values, strict=True))
        yield data[at : at + size], f"[{number}] {shown}"


def _number(value: int) -> str:
    """Numbers with a mark in their top bits are easier to read as these."""
    return "NEVER" if value == NEVER else hex(value) if value >= MARKS else str(value)


def _classes(data: bytes) -> Iterator[Part]:
    for number, at in enumerate(range(0, len(data), 32)):
        yield data[at : at + 32], f"[{number}] takes {_class_bytes(data[at : at + 32])!r}"


def _class_bytes(data: bytes) -> bytes:
    return bytes(byte for byte in range(256) if data[byte // 8] >> byte % 8 & 1)


def _tails(data: bytes) -> Iterator[Part]:
    names = ("END", "LITERAL", "ANY", "CLASS", "STAR_END", "STAR_FIND", "STAR_LAST")
    at = 0
    end = len(data) - TAILS_PADDING
    while at < end:
        name, start = names[data[at]], at
        at += {"END": 1, "STAR_END": 1, "ANY": 2, "CLASS": 33, "STAR_FIND": 3, "STAR_LAST": 3}.get(name, 2)
        operand = ""
        if name == "LITERAL":
            at += data[start + 1]
            operand = f" {data[start + 2 : at]!r}"
        elif name == "CLASS":
            operand = f" of {_class_bytes(data[start + 1 : at])!r}"
        elif name not in ("END", "STAR_END"):
            operand = f" {int.from_bytes(data[start + 1 : at], 'little')}"
        yield data[start:at], f"offset {start}: {name}{operand}"
    yield data[end:], "padding"


class Node(NamedTuple):
    """One entry of ``NODES``."""

    head: int
    label: int
    nodes: int
    values: int

    @property
    def listed(self) -> tuple[int, int]:
        """How many nodes and values bytes lead to."""
        return self.head >> 12 & 0xFF, self.head >> 20 & 0xFF

    def has(self, flag: str) -> bool:
        """Whether a flag is set."""
        return any(self.head >> bit & 1 for bit, name in FLAGS.items() if name == flag)


def _node_list(data: bytes) -> list[Node]:
    return [Node(*unpack_from("<4I", data, at)) for at in range(0, len(data), 16)]


def _nodes(data: bytes) -> Iterator[Part]:
    nodes = _node_list(data)
    for number, node in enumerate(nodes):
        flags = "".join(f", {flag}" for flag in FLAGS.values() if node.has(flag))
        listed = "lists {} nodes and {} values".format(*node.listed)
        first = f"label {node.label}, nodes {node.nodes}, values {node.values}"
        shape = "end" if number == len(nodes) - 1 else f"label of {node.head & 0xFFF}, {listed}{flags}"
        yield data[16 * number : 16 * number + 16], f"[{number}] {first}; {shape}"


def _labels(nodes: bytes, data: bytes) -> Iterator[Part]:
    """The label of each node: its bytes, its list, its classes."""
    found = _node_list(nodes)
    for number, (node, after) in enumerate(pairwise(found)):
        at = node.label
        length, listed = node.head & 0xFFF, sum(node.listed)
        if length:
            yield data[at : at + length], f"node {number}: {data[at : at + length]!r}"
        at += length
        if listed:
            yield data[at : at + listed], f"node {number}: edges {data[at : at + listed]!r}"
        for place in range(at + listed, after.label, 4):
            (number_of_class,) = unpack_from("<I", data, place)
            shown = "any byte" if number_of_class == NEVER else f"class {number_of_class}"
            yield data[place : place + 4], f"node {number}: {shown}"
    yield data[-LABELS_PADDING:], "padding"


def _narrow(piece: Piece) -> Iterator[Piece]:
    """Pieces that fit a line: sixteen bytes, or a run of zeros that is counted."""
    offset, data, meaning = piece
    if len(data) >= ZEROS and not any(data):
        yield piece
        return
    for at in range(0, len(data), WIDEST):
        yield Piece(offset + at, data[at : at + WIDEST], meaning if at == 0 else "")


def _line(piece: Piece) -> str:
    zeros = len(piece.data) >= ZEROS
    shown = f"00 x {len(piece.data)}" if zeros else piece.data.hex(" ")
    return f"{piece.offset:04x} {shown:<{3 * WIDEST}} {piece.meaning}".rstrip()
