"""An image decoded byte by byte, after ``csrc/format.h``: what docs/format.md shows.

Sections are found by the names in the header file, so one that is added there appears by itself; without an
entry in ``TABLES`` its bytes are shown and not explained.
"""

from __future__ import annotations

import re
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
    ("star_count", 4),
    ("wild_count", 4),
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
LEAF_BIT = 0x80000000
HAS_STAR_INFO, HAS_VALUE, HAS_STAR, HAS_WILD, HAS_TABLE = (1 << bit for bit in range(12, 17))
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
    for name, offset, size in sections:
        if offset > at:
            yield Piece(at, image[at:offset], "gap")
        yield from _section(name, offset, image[offset : offset + size])
        at = offset + size
    if at < len(image):
        yield Piece(at, image[at:], "gap, up to a multiple of 128")


def _header_meaning(name: str, data: bytes) -> str:
    if name in ("magic", "checksum"):
        return name
    number = int.from_bytes(data, "little")
    return f"version {number >> 16}.{number & 0xFFFF}" if name == "version" else f"{name} {number}"


def _section(name: str, offset: int, data: bytes) -> Iterator[Piece]:
    if name in TABLES:
        parts = _table(TABLES[name], data)
    elif name == "NODES":
        parts = _nodes(data)
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


def _ref(value: int) -> str:
    return f"leaf {value & ~LEAF_BIT}" if value & LEAF_BIT else f"word {value}" if value else "none"


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


def _nodes(data: bytes) -> Iterator[Part]:
    yield data[:4], "word 0: no record, so that no REF is 0"
    at = 4
    while at < len(data):
        (head,) = unpack_from("<I", data, at)
        for size, meaning in _record(head, data, at):
            yield data[at : at + size], meaning
            at += size


def _record(head: int, data: bytes, at: int) -> Iterator[tuple[int, str]]:
    """Size and meaning of each part of a record."""
    start = at
    length, listed = head & 0xFFF, head >> 20
    yield 4, f"word {start // 4}: record, label of {length}, list of {listed}"
    at += 4

    def u32() -> int:
        return unpack_from("<I", data, at)[0]

    if length:
        yield (length + 3) // 4 * 4, f"  label {data[at : at + length]!r}"
        at += (length + 3) // 4 * 4
    if head & HAS_STAR_INFO:
        yield 4, f"  star number {u32()}"
        at += 4
        first = [byte for byte in range(256) if data[at + byte // 8] >> byte % 8 & 1]
        yield 32, f"  something below starts with {bytes(first)!r}"
        at += 32
    if head & HAS_VALUE:
        yield 4, f"  value {u32()}"
        at += 4
    if head & HAS_STAR:
        yield 4, f"  star: {_ref(u32())}"
        at += 4
    if head & HAS_WILD:
        count = u32()
        yield 4, f"  {count} wildcard edges"
        at += 4
        for _ in range(count):
            takes = "any byte" if u32() == NEVER else f"class {u32()}"
            yield 8, f"  {takes}: {_ref(unpack_from('<I', data, at + 4)[0])}"
            at += 8
    yield from _byte_edges(head, data, at)


def _byte_edges(head: int, data: bytes, at: int) -> Iterator[tuple[int, str]]:
    listed = head >> 20
    edges = data[at : at + listed]
    if head & HAS_TABLE:
        yield 4, f"  table from {chr(data[at])!r} to {chr(data[at + 1])!r}"
        edges = bytes(range(data[at], data[at + 1] + 1))
        at += 4
    elif listed:
        yield (listed + 3) // 4 * 4, f"  first bytes {edges!r}"
        at += (listed + 3) // 4 * 4
    for byte in edges:
        yield 4, f"  {chr(byte)!r}: {_ref(unpack_from('<I', data, at)[0])}"
        at += 4


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
