"""Writes depmod's binary indexes, byte for byte as depmod does."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from struct import pack
from typing import TYPE_CHECKING, Literal, get_args

from pyalias.errors import AliasFileError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Layout = Literal["pre", "post"]
"""``post``: children before their parent (depmod up to 33); ``pre``: the parent first (from 34 on)."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_HEADER = bytes.fromhex("b007f457 00020001")
_HEADER_SIZE = 12
_PREFIX, _VALUES, _CHILDREN = 1 << 31, 1 << 30, 1 << 29
_ROOM = 1 << 28  # what the 28 bits of an offset reach
_ASCII_END = 0x80

Entry = tuple[bytes, int, bytes]


@dataclass(slots=True)
class _Node:
    """A node of the radix trie; the byte that leads to it is its place among its parent's children."""

    prefix: bytes
    values: Sequence[tuple[int, bytes]] = ()
    children: dict[int, _Node] = field(default_factory=dict)
    word: int = 0

    def span(self) -> tuple[int, int]:
        """The first and the last byte that lead to a child."""
        edges = list(self.children)  # made in ascending order
        return edges[0], edges[-1]

    def place(self, offset: int) -> int:
        """Put the node at an offset; returns where it ends."""
        self.word = offset
        if self.prefix:
            self.word |= _PREFIX
            offset += len(self.prefix) + 1
        if self.children:
            first, last = self.span()
            self.word |= _CHILDREN
            offset += 2 + 4 * (last - first + 1)
        if self.values:
            self.word |= _VALUES
            offset += 4 + sum(5 + len(value) for _, value in self.values)
        return offset

    def write(self, out: bytearray) -> None:
        """Append the node's bytes."""
        if self.prefix:
            out += self.prefix + b"\0"
        if self.children:
            first, last = self.span()
            words = [child.word if child else 0 for child in map(self.children.get, range(first, last + 1))]
            out += pack(f">BB{len(words)}I", first, last, *words)
        if self.values:
            out += pack(">I", len(self.values))
            for priority, value in self.values:
                out += pack(">I", priority) + value + b"\0"


def write_index(entries: Iterable[Entry], layout: Layout = "post") -> bytes:
    """The index of ``(key, priority, value)`` entries, as depmod writes it (kmod: ``index_write``).

    Entries are in the order in which depmod inserts them: among equal keys and priorities the one
    inserted last stands first in the file. O(bytes of the keys) beside sorting them.

    Raises:
        AliasFileError: a key or value that no index can hold: a NUL, or a byte beyond ASCII.
        LimitError: more than 256 MiB, the reach of the format.
        ValueError: an unknown layout.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, found {layout!r}")
    values: dict[bytes, list[tuple[int, bytes]]] = {}
    for key, priority, value in entries:
        _check_text(key)
        _check_text(value)
        values.setdefault(key, []).append((priority, value))
    for several in values.values():
        several.reverse()
        several.sort(key=_priority)
    root = _trie(values)
    order = _in_order(root, layout)
    end = _HEADER_SIZE
    for node in order:
        end = node.place(end)
    if end > _ROOM:
        raise LimitError(f"the index would have {end} bytes: the format reaches {_ROOM}")
    out = bytearray(_HEADER + pack(">I", root.word))
    for node in order:
        node.write(out)
    return bytes(out)


def _priority(value: tuple[int, bytes]) -> int:
    return value[0]


def _check_text(text: bytes) -> None:
    """Kmod's ``index__checkstring``, and what a string of C can hold."""
    if text.isascii() and b"\0" not in text:
        return
    at = next(i for i, byte in enumerate(text) if byte == 0 or byte >= _ASCII_END)
    raise AliasFileError(
        f"{text[:80]!r}: byte {at} is {text[at]:#04x}, but depmod's indexes hold ASCII only: remove the entry"
    )


def _trie(values: dict[bytes, list[tuple[int, bytes]]]) -> _Node:
    """The trie of all keys. depmod's root never has a prefix."""
    root = _Node(b"", values.get(b"", ()))
    keys = sorted(key for key in values if key)
    # Parents whose children are still to be made: the keys below them agree in their first `depth` bytes.
    pending = [(root, keys, 0)]
    while pending:
        parent, keys, depth = pending.pop()
        for edge, group in groupby(keys, key=lambda key, depth=depth: key[depth]):  # type: ignore[misc]
            below = list(group)
            end = _shared_length(below[0], below[-1], depth + 1)
            child = _Node(below[0][depth + 1 : end])
            if len(below[0]) == end:
                child.values = values[below.pop(0)]
            parent.children[edge] = child
            if below:
                pending.append((child, below, end))
    return root


def _shared_length(one: bytes, other: bytes, start: int) -> int:
    """How many bytes both begin with; of the first ``start`` it is known."""
    both = min(len(one), len(other))
    while start < both and one[start] == other[start]:
        start += 1
    return start


def _in_order(root: _Node, layout: Layout) -> list[_Node]:
    """All nodes in the order in which they are written."""
    order: list[_Node] = []
    pending = [root]
    while pending:
        node = pending.pop()
        order.append(node)
        children = node.children.values()
        # Popping turns the order round; and post-order is this order with descending children, backwards.
        pending.extend(reversed(children) if layout == "pre" else children)
    if layout == "post":
        order.reverse()
    return order
